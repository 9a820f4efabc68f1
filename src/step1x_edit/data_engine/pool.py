"""The pool: source pictures, memory-mapped, each with where it comes from and whether training may see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from pydantic import ValidationError

from step1x_edit.errors import DataError
from step1x_edit.schema.triplet import SourceImage, SourceKind, Split

__all__ = ["MANIFEST", "PIXELS", "Kind", "Picture", "Pool", "Split", "default_pool_folder", "is_pool"]

MANIFEST = "manifest.jsonl"
PIXELS = "pixels.bin"
Kind = SourceKind
FIRST_FORM = {"file": "uri", "object": "label", "zh": "label_zh", "package": "dataset"}
"""Names that fields had in manifests before pools kept :class:`SourceImage` records."""


def default_pool_folder() -> Path:
    """Return the user's starter pool, or the pool an earlier version built where only that exists."""
    cache = Path.home() / ".cache" / "step1x-edit"
    starter, earlier = cache / "starter-pool", cache / "pool"
    return earlier if is_pool(earlier) and not is_pool(starter) else starter


def is_pool(folder: Path) -> bool:
    """Tell whether a folder holds the two files of a pool."""
    return (folder / MANIFEST).is_file() and (folder / PIXELS).is_file()


class Picture(SourceImage):
    """One picture of the pool, a line of ``manifest.jsonl``. Its width and height are those of the stored pixels."""

    channels: Literal[3, 4]
    offset: int
    """Where its pixels start in ``pixels.bin``, in bytes."""

    @property
    def size_bytes(self) -> int:
        """How many bytes its pixels take."""
        return self.height * self.width * self.channels


class Pool:
    """Read access to the pictures of a pool.

    Args:
        pictures: The manifest.
        pixels: All pixels, picture after picture, row by row.
    """

    def __init__(self, pictures: Sequence[Picture], pixels: UInt8[np.ndarray, " bytes"]) -> None:
        self.pictures = tuple(pictures)
        self._pixels = pixels

    @classmethod
    def open(cls, folder: Path | None = None) -> Pool:
        """Open a pool from its folder; the pixels stay on disk until they are used.

        Args:
            folder: The pool's folder; the one in the user's cache folder when not given.

        Raises:
            DataError: There is no pool, or its two files do not belong together.
        """
        folder = folder or default_pool_folder()
        if not is_pool(folder):
            raise DataError(
                given=f"{folder}",
                expected=f"a pool ({MANIFEST} and {PIXELS})",
                remedy=f"Build it with `step1x data sources --out {folder}`.",
            )
        pictures = _read_manifest(folder / MANIFEST)
        needed = max((one.offset + one.size_bytes for one in pictures), default=0)
        found = (folder / PIXELS).stat().st_size
        if needed != found or not found:
            raise DataError(
                given=f"{folder / PIXELS} of {found} bytes",
                expected=f"{needed or 'more'} bytes, as the manifest says",
                remedy="Run the command that built the pool again; it may have been interrupted.",
            )
        return cls(pictures, np.memmap(folder / PIXELS, dtype=np.uint8, mode="r"))

    def image(self, picture: Picture) -> UInt8[np.ndarray, "height width channels"]:
        """Return the pixels of a picture as a read-only view: RGB, or RGBA with straight alpha."""
        shape = (picture.height, picture.width, picture.channels)
        return self._pixels[picture.offset : picture.offset + picture.size_bytes].reshape(shape)

    def permissive(self) -> Pool:
        """Return the pool of those pictures only that may be passed on with a notice."""
        return self.where(lambda one: one.permissive)

    def where(self, wanted: Callable[[Picture], bool]) -> Pool:
        """Return the pool of those pictures only that are wanted."""
        return Pool([one for one in self.pictures if wanted(one)], self._pixels)

    def showing_seen_objects(self) -> Pool:
        """Return the pool whose held-out photographs show objects that training sees.

        The cut-outs of training take the place of the held-out ones; of the subjects of held-out photographs those stay
        whose class has such a cut-out, and those without a name. Nothing is left for the split ``train``.
        """
        seen = {one.label for one in self.pictures if one.kind == "cutout" and one.split == "train"}
        shown = [
            one.model_copy(update={"split": "held_out"}) if one.kind == "cutout" else one
            for one in self.pictures
            if (one.split == "train") == (one.kind == "cutout")
            and (one.kind != "subject" or one.label is None or one.label in seen)
        ]
        return Pool(shown, self._pixels)

    def photos(self, split: Split, *, scenes_only: bool = False) -> list[Picture]:
        """Return the photographs of a split, all or only those that may stand behind an object."""
        photos = [one for one in self.pictures if one.kind == "photo" and one.split == split]
        return [one for one in photos if one.scene] if scenes_only else photos

    def subjects(self, split: Split) -> list[Picture]:
        """Return the photographs of a split whose subject has a matte."""
        return [one for one in self.pictures if one.kind == "subject" and one.split == split]

    def cutouts(self, split: Split) -> dict[str, list[Picture]]:
        """Return the cut-outs of a split by what they show; those without a label are left out."""
        by_label: dict[str, list[Picture]] = {}
        for one in self.pictures:
            if one.kind == "cutout" and one.split == split and one.label is not None:
                by_label.setdefault(one.label, []).append(one)
        return by_label


def _read_manifest(path: Path) -> list[Picture]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Picture.model_validate(_renamed(json.loads(line))) for line in lines]
    except (ValidationError, ValueError, AttributeError) as broken:
        raise DataError(
            given=f"{path}, which is no manifest of a pool ({str(broken).splitlines()[0]})",
            expected="one record of a picture per line",
            remedy="Build the pool again with `step1x data sources`.",
        ) from broken


def _renamed(record: dict[str, Any]) -> dict[str, Any]:
    if "package" not in record:
        return record
    return {"phash": ""} | {FIRST_FORM.get(name, name): value for name, value in record.items()}
