"""Pictures of pairs: read as the pipeline reads a user's picture, or only measured, or only hashed."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image, UnidentifiedImageError

from step1x_edit.errors import RequestError
from step1x_edit.pipeline.intake import read_reference
from step1x_edit.training.pairs.pair import MissingPartner, UnreadablePicture

__all__ = ["SUFFIXES", "Stored", "content_hash", "picture_size", "read_mask", "read_picture", "require_file"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""Ends of file names that are looked for where a convention says only the stem."""
Stored = Path | bytes
_ORIENTATION_TAG = 0x0112
_EXIF = {"exif", "Raw profile type exif"}
_LYING = {5, 6, 7, 8}
"""EXIF orientations whose width and height change places."""
_MASKED_ABOVE = 127


def read_picture(stored: Stored, *, what: str) -> Image.Image:
    """Return a picture in RGB, sRGB and upright, exactly as the pipeline would.

    Args:
        stored: A file, or the bytes of one.
        what: The picture in words, such as "the target of row 3 of pairs.csv".

    Raises:
        MissingPartner: There is no such file.
        UnreadablePicture: It is no picture the pipeline takes.
    """
    require_file(stored, what=what)
    try:
        return read_reference(stored).rgb
    except RequestError as error:
        raise UnreadablePicture(given=f"{what}: {error.given}", expected=error.expected, remedy=error.remedy) from error


def read_mask(stored: Stored, *, what: str) -> Bool[np.ndarray, "height width"]:
    """Return a mask: True where the picture is brighter than middle grey.

    Raises:
        MissingPartner, UnreadablePicture: As :func:`read_picture`.
    """
    return np.asarray(read_picture(stored, what=what).convert("L")) > _MASKED_ABOVE


def picture_size(stored: Stored, *, what: str) -> tuple[int, int]:
    """Return (width, height) of the upright picture from its head alone.

    Raises:
        MissingPartner, UnreadablePicture: As :func:`read_picture`, as far as the head tells.
    """
    require_file(stored, what=what)
    try:
        with Image.open(io.BytesIO(stored) if isinstance(stored, bytes) else stored) as picture:
            width, height = picture.size
            # Asked for EXIF that it has not met yet, Pillow decodes a whole PNG in search of it.
            turned = _EXIF & picture.info.keys() and picture.getexif().get(_ORIENTATION_TAG) in _LYING
            return (height, width) if turned else (width, height)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UnreadablePicture(
            given=f"{what}, whose head cannot be read ({' '.join(str(error).split())[:100]})",
            expected="a PNG, JPEG or WebP picture",
            remedy="Save or fetch it again, or take the pair out.",
        ) from error


def content_hash(stored: Stored, *, what: str) -> str:
    """Return a hash of a file's bytes, 32 hexadecimal digits.

    Raises:
        MissingPartner: There is no such file.
    """
    require_file(stored, what=what)
    data = stored if isinstance(stored, bytes) else stored.read_bytes()
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def require_file(stored: Stored, *, what: str) -> None:
    """Stop where a file is not there.

    Raises:
        MissingPartner: It is not.
    """
    if isinstance(stored, Path) and not stored.is_file():
        raise MissingPartner(
            given=f"{what}: {stored}, which does not exist",
            expected="a picture",
            remedy="Put it there, correct the name, or take the pair out.",
        )
