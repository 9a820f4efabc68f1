"""Reads pictures of a folder and everything below it, in the order of their paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from step1x_edit.data_engine.sources.offers import MAX_BYTES, Candidate, Known, Offer, Unreadable
from step1x_edit.data_engine.sources.parquet import read_parquet
from step1x_edit.data_engine.sources.webdataset import read_webdataset

__all__ = ["PICTURE_SUFFIXES", "looks_like_picture", "read_folder", "read_one"]

PICTURE_SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .webp .gif .bmp .tif .tiff .heic .heif .avif .jp2 .jxl".split()  # noqa: SIM905
)
"""What is taken for a picture by its name. Only PNG, JPEG and WebP can be read; the others become rejections."""
STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def read_folder(folder: Path) -> Iterator[Offer]:
    """Yield every picture below a folder; shards (``.tar``, ``.parquet``) among the files are read as such.

    A file counts as a picture by its name, or by its first bytes where the name says nothing. Hidden files are left out.
    """
    for path in _files(folder):
        if path.suffix.lower() == ".parquet":
            yield from read_parquet(path)
        elif path.suffix.lower() == ".tar":
            yield from read_webdataset(path)
        elif path.suffix.lower() in PICTURE_SUFFIXES or looks_like_picture(path):
            offer = read_one(path, Known(dataset=folder.name))
            yield replace(offer, uri=path.relative_to(folder).as_posix())


def read_one(path: Path, known: Known) -> Candidate | Unreadable:
    """Read one file as a picture that may go into a pool; what cannot be read says why."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            reason = f"The file has {size / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} are read."
            return Unreadable(uri=str(path), dataset=known.dataset, reason=reason)
        return Candidate(uri=str(path), data=path.read_bytes(), known=known)
    except OSError as error:
        reason = f"The file cannot be read ({error.strerror})."
        return Unreadable(uri=str(path), dataset=known.dataset, reason=reason)


def looks_like_picture(path: Path) -> bool:
    """Tell by its first bytes whether a file is a PNG, JPEG or WebP."""
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(STARTS) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")


def _files(folder: Path) -> Iterator[Path]:
    for below, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(below) / name
            if not name.startswith(".") and (path.is_file() or path.is_symlink()):
                yield path
