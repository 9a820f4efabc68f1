"""Pictures of the report: small lossy copies that travel inside the page, each with the way to its original."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image, UnidentifiedImageError

from step1x_edit.errors import DataError
from step1x_edit.measures.hashing import pixel_sha256

__all__ = ["LARGEST_BYTES", "SIDE", "JudgedPicture", "Thumbnail", "make_thumbnails"]

SIDE = 256
"""Long side of a thumbnail in pixels."""
QUALITIES = (62, 45, 30, 15, 5)
"""WebP qualities, the first that keeps a thumbnail within its bytes is taken."""
LARGEST_BYTES = 9_400
"""Of a thumbnail: 606 cases with three pictures each then stay below 24 MB as text, whatever they show."""
EFFORT = 2
"""Of the WebP encoder, 0..6; above 2 it takes longer than reading the original, for 5 % fewer bytes."""
READERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPicture:
    """A picture file that a judge has seen."""

    path: Path
    sha256: str
    """Of its decoded RGB pixels, as the judge's log has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A small copy."""

    data_url: str
    link: str
    """The original's address as seen from the report's folder."""
    size: tuple[int, int]
    """Width and height of the small copy in pixels."""
    original_size: tuple[int, int]


def make_thumbnails(pictures: Iterable[JudgedPicture], *, seen_from: Path) -> dict[Path, Thumbnail]:
    """Read pictures and return their small copies by path; equal pictures give equal bytes.

    Args:
        pictures: What is to be shown; a file may come several times.
        seen_from: Folder of the report.

    Raises:
        DataError: A file is absent, is no picture, or is another one than the judge has seen.
    """
    distinct = list(dict.fromkeys(pictures))
    with ThreadPoolExecutor(READERS) as readers:
        made = readers.map(lambda one: _thumbnail(one, seen_from), distinct)
        return dict(_named(distinct, made))


def _named(pictures: list[JudgedPicture], made: Iterator[Thumbnail]) -> Iterator[tuple[Path, Thumbnail]]:
    return zip((one.path for one in pictures), made, strict=True)


def _thumbnail(picture: JudgedPicture, seen_from: Path) -> Thumbnail:
    pixels = _read(picture)
    original_size = pixels.size
    pixels.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    content = base64.b64encode(_encoded(pixels)).decode()
    return Thumbnail(
        data_url=f"data:image/webp;base64,{content}",
        link=quote(Path(os.path.relpath(picture.path, seen_from)).as_posix()),
        size=pixels.size,
        original_size=original_size,
    )


def _read(picture: JudgedPicture) -> Image.Image:
    try:
        with Image.open(picture.path) as file:
            pixels = file.convert("RGB")
    except (OSError, UnidentifiedImageError) as fault:
        raise DataError(
            given=f"{picture.path}, which cannot be read ({' '.join(str(fault).split())[:120]})",
            expected="the picture that the judge has seen",
            remedy="Put it back, or run and judge the case again.",
        ) from fault
    if pixel_sha256(np.asarray(pixels)) != picture.sha256:
        raise DataError(
            given=f"{picture.path}, which has changed since it was judged",
            expected=f"pixels with the SHA-256 {picture.sha256[:12]}...",
            remedy="Judge the run again with `step1x bench judge`; only what has changed is asked.",
        )
    return pixels


def _encoded(pixels: Image.Image) -> bytes:
    content = b""
    for quality in QUALITIES:
        file = io.BytesIO()
        pixels.save(file, "WEBP", quality=quality, method=EFFORT)
        content = file.getvalue()
        if len(content) <= LARGEST_BYTES:
            break
    return content
