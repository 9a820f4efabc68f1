"""From the shelf to a pool: sorted by content, split with whole groups of look-alikes, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from step1x_edit import __version__
from step1x_edit.data_engine.pool import MANIFEST, PIXELS, Picture
from step1x_edit.data_engine.sources.licences import is_permissive
from step1x_edit.data_engine.sources.offers import Known
from step1x_edit.data_engine.sources.shelf import KEYS, Finished, Refused, Shelf
from step1x_edit.data_engine.sources.splitting import Facts, split_of
from step1x_edit.schema.triplet import Provenance, Rejection

__all__ = ["REJECTIONS", "Listed", "rejection", "write_pool"]

REJECTIONS = "rejections.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file that was offered, by its content."""

    sha256: str
    key: str
    """Where the shelf has it."""
    uri: str
    known: Known


def write_pool(
    folder: Path, shelf: Shelf, listed: Iterable[Listed], refused: list[Rejection], *, held_out_percent: int
) -> list[Picture]:
    """Write manifest, pixels and rejections.

    The order is that of the contents' hashes, so the same pictures give the same pool whatever their order was. While
    the files are exchanged there is no manifest: a run that is killed then finds no pool rather than a wrong one.

    Args:
        folder: The pool's folder.
        shelf: Where the finished pictures are.
        listed: All files, each content once.
        refused: Rejections so far; those of the shelf are added.
        held_out_percent: See :func:`split_of`.

    Returns:
        The pictures of the pool; without any, only the rejections are written.
    """
    ready: list[tuple[Listed, Finished]] = []
    for one in sorted(listed, key=lambda one: one.sha256):
        found = shelf.get(one.key)
        if isinstance(found, Refused):
            refused.append(rejection(one.uri, one.known, found, sha256=one.sha256))
        else:
            ready.append((one, found))
    _write(folder / REJECTIONS, "".join(f"{one.model_dump_json()}\n" for one in sorted(refused, key=lambda r: r.uid)))
    if not ready:
        return []
    records = _records(ready, held_out_percent)
    _write_pixels(folder / PIXELS, shelf, ready)
    _write(folder / KEYS, json.dumps({one.key: one.sha256 for one, _ in ready}))
    _write(folder / MANIFEST, "".join(f"{one.model_dump_json()}\n" for one in records))
    return records


def rejection(uri: str, known: Known, refused: Refused, *, sha256: str = "") -> Rejection:
    """Return the record of a file that did not go into the pool."""
    return Rejection(
        uid=hashlib.sha256(f"{known.dataset}\n{uri}\n{sha256}".encode()).hexdigest()[:32],
        task=None,
        stage=refused.stage,
        reason=f"{uri}: {refused.reason}",
        provenance=Provenance(
            sources=(sha256[:16],) if sha256 else (),
            licences=(known.licence,),
            authors=(known.author,) if known.author else (),
            permissive=is_permissive(known.licence),
            recipe="ingest",
            pipeline_version=__version__,
            seed=0,
            attempt=0,
        ),
    )


def _records(ready: list[tuple[Listed, Finished]], held_out_percent: int) -> list[Picture]:
    facts = [{**fact, **_origin(one)} for one, finished in ready for fact in finished.facts]
    splits = split_of(
        [Facts(**{name: fact[name] for name in Facts._fields}) for fact in facts], percent=held_out_percent
    )
    records, offset = [], 0
    for fact, split in zip(facts, splits, strict=True):
        records.append(Picture(**fact, split=split, offset=offset))
        offset += records[-1].size_bytes
    return records


def _origin(one: Listed) -> dict[str, Any]:
    return {
        "id": one.sha256[:16],
        "uri": one.uri,
        "sha256": one.sha256,
        "dataset": one.known.dataset,
        "version": one.known.version,
        "licence": one.known.licence,
        "permissive": is_permissive(one.known.licence),
        "author": one.known.author,
    }


def _write_pixels(target: Path, shelf: Shelf, ready: list[tuple[Listed, Finished]]) -> None:
    for left_over in target.parent.glob(f".{target.name}.*"):
        left_over.unlink()
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        for one, _ in ready:
            for pixels in shelf.pixels(one.key):
                file.write(np.ascontiguousarray(pixels).data)
    target.with_name(MANIFEST).unlink(missing_ok=True)
    temporary.replace(target)


def _write(target: Path, text: str) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)
