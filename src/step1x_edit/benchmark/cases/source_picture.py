"""Source pictures as the published protocol reads them: upright, RGB, nothing else changed."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from step1x_edit.errors import DataError

__all__ = ["open_published_picture"]


def open_published_picture(content: bytes, *, what: str) -> Image.Image:
    """Decode a picture file of the data set.

    Colours are left as stored, profile or not, and alpha is dropped: so did the judge whose scores are published.

    Args:
        content: Bytes of the file.
        what: What it is, for the message.

    Raises:
        DataError: It is damaged, or beyond Pillow's limit of pixels.
    """
    try:
        with Image.open(io.BytesIO(content)) as stored:
            return ImageOps.exif_transpose(stored).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as damage:
        raise DataError(
            given=f"{what}, which cannot be decoded ({damage})",
            expected="a whole picture",
            remedy="Fetch the data set again.",
        ) from damage
