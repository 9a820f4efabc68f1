"""What a source hands over: a picture's bytes with what is known about it, or the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from step1x_edit.data_engine.pool import Picture
from step1x_edit.schema.triplet import SourceKind

__all__ = ["MAX_BYTES", "Candidate", "Known", "Offer", "Pooled", "Unreadable"]

MAX_BYTES = 256 * 1024**2
"""Longest file that is read; a picture of 64 megapixels stays below it in every usual coding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a source says about a picture before it is looked at. Fields as in :class:`SourceImage`."""

    dataset: str
    version: str = ""
    licence: str = "unknown"
    author: str | None = None
    label: str | None = None
    label_zh: str | None = None
    kind: SourceKind | None = None
    """``None``: a cut-out where the file has transparent parts, a photograph otherwise."""
    scene: bool | None = None
    """``None``: decided by the matting expert, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A picture that may go into a pool."""

    uri: str
    data: bytes
    """The file as it is stored."""
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """All pictures another pool has of one file, decoded long ago."""

    pictures: tuple[Picture, ...]
    pixels: tuple[UInt8[np.ndarray, "_ _ _"], ...]
    """Height, width and channels differ from picture to picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A file, member or row that gives no bytes."""

    uri: str
    dataset: str
    reason: str
    """One sentence."""


Offer = Candidate | Pooled | Unreadable
