"""The pool: source pictures, memory-mapped, each with where it comes from and whether training may see it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from step1x_edit.errors import DataError

__all__ = ["MANIFEST", "PIXELS", "Kind", "Picture", "Pool", "Split", "default_pool_folder"]

MANIFEST = "manifest.jsonl"
PIXELS = "pixels.bin"

Split = Literal["train", "held_out"]
Kind = Literal["photo", "subject", "cutout"]


def default_pool_folder() -> Path:
    """Return the user's cache folder for the pool."""
    return Path.home() / ".cache" / "step1x-edit" / "pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of the pool; field by field a line of ``manifest.jsonl``."""

    id: str
    """First 16 digits of the source file's SHA-256."""
    file: str
    kind: Kind
    """A photograph (RGB), a photograph with its subject's matte (RGBA), or a cut-out (RGBA, cropped to its matte)."""
    scene: bool
    """True for a photograph without a dominant subject, which may stand behind an object."""
    object: str | None
    """Object class of a cut-out or subject, in English; a subject may have none."""
    zh: str | None
    """The same in Chinese."""
    package: str
    version: str
    licence: str
    sha256: str
    split: Split
    height: int
    width: int
    channels: int
    offset: int
    """Where its pixels start in ``pixels.bin``, in bytes."""


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
            folder: The pool's folder; the user's cache folder when not given.

        Raises:
            DataError: There is no pool, or its two files do not belong together.
        """
        folder = folder or default_pool_folder()
        if not (folder / MANIFEST).is_file() or not (folder / PIXELS).is_file():
            raise DataError(
                given=f"{folder}",
                expected=f"a pool ({MANIFEST} and {PIXELS})",
                remedy="Build it with `python -m step1x_edit.data_engine.sources.build`.",
            )
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
        pictures = [Picture(**json.loads(line)) for line in lines]
        pixels = np.memmap(folder / PIXELS, dtype=np.uint8, mode="r")
        needed = max((one.offset + one.height * one.width * one.channels for one in pictures), default=0)
        if needed != len(pixels):
            raise DataError(
                given=f"{folder / PIXELS} of {len(pixels)} bytes",
                expected=f"{needed} bytes, as the manifest says",
                remedy="Build the pool again; the last build may have been interrupted.",
            )
        return cls(pictures, pixels)

    def image(self, picture: Picture) -> UInt8[np.ndarray, "height width channels"]:
        """Return the pixels of a picture as a read-only view: RGB, or RGBA with straight alpha."""
        shape = (picture.height, picture.width, picture.channels)
        return self._pixels[picture.offset : picture.offset + int(np.prod(shape))].reshape(shape)

    def photos(self, split: Split, *, scenes_only: bool = False) -> list[Picture]:
        """Return the photographs of a split, all or only those that may stand behind an object."""
        photos = [one for one in self.pictures if one.kind == "photo" and one.split == split]
        return [one for one in photos if one.scene] if scenes_only else photos

    def subjects(self, split: Split) -> list[Picture]:
        """Return the photographs of a split whose subject has a matte."""
        return [one for one in self.pictures if one.kind == "subject" and one.split == split]

    def cutouts(self, split: Split) -> dict[str, list[Picture]]:
        """Return the cut-outs of a split by object class; classes without a cut-out there are left out."""
        by_class: dict[str, list[Picture]] = {}
        for one in self.pictures:
            if one.kind == "cutout" and one.split == split and one.object is not None:
                by_class.setdefault(one.object, []).append(one)
        return by_class
