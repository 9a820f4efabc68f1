"""A small pool drawn here: hills and skies to stand behind, discs and boxes to stand there."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from step1x_edit.data_engine.pool import MANIFEST, PIXELS, Picture, Pool
from step1x_edit.schema.triplet import SourceKind, Split

CLASSES = ("apple", "dog", "car", "tree", "balloon", "zebra")


def hills(number: int) -> np.ndarray:
    """A sky over green hills, with a path and some grain, 160 x 120."""
    rng = np.random.default_rng(number)
    picture = Image.new("RGB", (160, 120), (110 + 10 * number, 160, 225))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((-40, 50, 120, 200), fill=(60, 130 - 8 * number, 50))
    pen.ellipse((60, 60, 240, 220), fill=(80, 150, 60))
    pen.polygon([(70, 120), (80, 75), (90, 75), (110, 120)], fill=(190, 170, 130))
    return np.clip(np.asarray(picture) + rng.normal(0, 4, (120, 160, 3)), 0, 255).astype(np.uint8)


def figure(number: int) -> np.ndarray:
    """A shaded disc on a box, each number in a colour of its own, RGBA 64 x 48."""
    colours = [(210, 40, 40), (150, 100, 60), (40, 70, 200), (40, 140, 50), (230, 80, 180), (235, 235, 235)]
    picture = Image.new("RGBA", (48, 64), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((2, 0, 45, 43), fill=(*colours[number], 255))
    pen.rectangle((14, 40, 34, 63), fill=(*[level // 2 for level in colours[number]], 255))
    return np.asarray(picture)


def portrait(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A photograph with a figure in it, and the same with the figure's matte."""
    photo, cutout = hills(number).copy(), figure(number)
    matte = np.zeros((120, 160, 1), dtype=np.uint8)
    matte[40:104, 60:108] = cutout[..., 3:]
    photo[40:104, 60:108] = np.where(cutout[..., 3:] > 0, cutout[..., :3], photo[40:104, 60:108])
    return photo, np.concatenate([photo, matte], axis=-1)


DrawnPicture = tuple[np.ndarray, SourceKind, str | None, Split]
"""Pixels, kind, object class, split."""


def drawn_pool() -> Pool:
    """Three landscapes, a photographed car, and one figure for each of six classes."""
    photo, subject = portrait(CLASSES.index("car"))
    photos: list[DrawnPicture] = [(hills(number), "photo", None, "train") for number in range(3)]
    portraits: list[DrawnPicture] = [(photo, "photo", None, "train"), (subject, "subject", "car", "train")]
    cutouts: list[DrawnPicture] = [(figure(number), "cutout", name, "train") for number, name in enumerate(CLASSES)]
    return pool_of([*photos, *portraits, *cutouts])


def write_pool_files(pool: Pool, folder: Path) -> Path:
    """Write a pool that is held in memory as files."""
    folder.mkdir()
    (folder / MANIFEST).write_text("".join(f"{one.model_dump_json()}\n" for one in pool.pictures))
    (folder / PIXELS).write_bytes(b"".join(pool.image(one).tobytes() for one in pool.pictures))
    return folder


def pool_of(pictures: Sequence[DrawnPicture]) -> Pool:
    """Pack pictures into a pool that is held in memory."""
    records, pixels = [], io.BytesIO()
    for array, kind, what, split in pictures:
        # As in a built pool, the photograph and its subject carry the hash of one source file.
        digest = hashlib.sha256(array[..., :3].tobytes()).hexdigest()
        height, width, channels = array.shape
        records.append(
            Picture(
                id=digest[:16], uri="drawn", kind=kind, scene=kind == "photo", label=what,
                dataset="drawn", version="1", licence="CC0-1.0", permissive=True, sha256=digest, phash=digest[:16],
                split=split, height=height, width=width, channels=channels, offset=pixels.tell(),
            )
        )  # fmt: skip
        pixels.write(array.tobytes())
    return Pool(records, np.frombuffer(pixels.getvalue(), dtype=np.uint8))
