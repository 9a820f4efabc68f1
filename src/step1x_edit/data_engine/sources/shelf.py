"""The shelf of a cold pass: finished pictures, one file each, so that a run that was killed goes on where it stopped."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from step1x_edit.data_engine.pool import MANIFEST, Picture, Pool
from step1x_edit.data_engine.sources.digest import Entry
from step1x_edit.errors import DataError

__all__ = ["KEYS", "WORK", "Finished", "Refused", "Shelf"]

WORK = ".work"
KEYS = "keys.json"
FACTS = ("kind", "scene", "label", "label_zh", "phash", "height", "width", "channels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A picture that could not be used."""

    stage: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A picture on the shelf, without its pixels."""

    key: str
    facts: tuple[dict[str, Any], ...]
    """Kind, scene, labels, perceptual hash and shape of each entry, under the names of :class:`Picture`."""


class Shelf:
    """Pictures by a key over content, hints and settings.

    Keys of an earlier run that came to its end are found in the finished pool, so that a second run over the same
    pictures decodes none of them.

    Args:
        folder: The pool's folder; the shelf is a hidden folder inside it.
    """

    def __init__(self, folder: Path) -> None:
        self.work = folder / WORK
        self.work.mkdir(parents=True, exist_ok=True)
        self._pool, self._pooled = _finished_pool(folder)

    def __contains__(self, key: str) -> bool:
        return key in self._pooled or self._pixels(key).is_file() or self._reason(key).is_file()

    def put(self, key: str, entries: tuple[Entry, ...]) -> None:
        """Keep a finished picture; it is there whole or not at all."""
        facts = [{name: getattr(entry, name) for name in FACTS} for entry in entries]
        arrays = {f"pixels{number}": entry.pixels for number, entry in enumerate(entries)}
        about = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
        target = self._pixels(key)
        target.parent.mkdir(exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.savez(file, about=about, **arrays)  # pyright: ignore[reportArgumentType] - numpy types the options only
        temporary.replace(target)

    def refuse(self, key: str, refused: Refused) -> None:
        """Keep the reason why a picture cannot be used."""
        target = self._reason(key)
        target.parent.mkdir(exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps([refused.stage, refused.reason]), encoding="utf-8")
        temporary.replace(target)

    def get(self, key: str) -> Finished | Refused:
        """Return what is known about a picture on the shelf."""
        if self._pixels(key).is_file():
            with np.load(self._pixels(key)) as kept:
                return Finished(key=key, facts=tuple(json.loads(kept["about"].tobytes())))
        if key in self._pooled:
            facts = tuple({name: getattr(one, name) for name in FACTS} for one in self._pooled[key])
            return Finished(key=key, facts=facts)
        stage, reason = json.loads(self._reason(key).read_text(encoding="utf-8"))
        return Refused(stage=stage, reason=reason)

    def pixels(self, key: str) -> list[np.ndarray]:
        """Return the pixels of each entry of a finished picture."""
        if self._pixels(key).is_file():
            with np.load(self._pixels(key)) as kept:
                return [kept[f"pixels{number}"] for number in range(len(kept.files) - 1)]
        assert self._pool is not None, "a key without a file is one of the finished pool"
        return [self._pool.image(picture) for picture in self._pooled[key]]

    def clear(self) -> None:
        """Remove the shelf once the pool is written."""
        shutil.rmtree(self.work, ignore_errors=True)

    def _pixels(self, key: str) -> Path:
        return self.work / key[:2] / f"{key}.npz"

    def _reason(self, key: str) -> Path:
        return self.work / key[:2] / f"{key}.json"


def _finished_pool(folder: Path) -> tuple[Pool | None, dict[str, list[Picture]]]:
    if not (folder / KEYS).is_file() or not (folder / MANIFEST).is_file():
        return None, {}
    try:
        pool = Pool.open(folder)
        keys = json.loads((folder / KEYS).read_text(encoding="utf-8"))
    except (DataError, ValueError, OSError):
        # Whatever is wrong with it, everything in it can be made again.
        return None, {}
    by_digest: dict[str, list[Picture]] = {}
    for picture in pool.pictures:
        by_digest.setdefault(picture.sha256, []).append(picture)
    return pool, {key: by_digest[digest] for key, digest in keys.items() if digest in by_digest}
