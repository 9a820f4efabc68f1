"""Brings pictures to the size and form the pool keeps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageFilter

__all__ = ["cropped_to_matte", "has_transparency", "over_grey", "reduced", "with_matte"]

VISIBLE_ALPHA = 8
"""Alpha (0..255) from which a pixel counts as part of a cut-out; stamps carry faint dust below it."""
TRANSPARENT_SHARE = 0.01
"""A picture with a larger share of see-through pixels is a cut-out; less is a soft corner or a slip."""
EDGE_REACH = 64
"""The colour of a subject's inside is carried outward under its soft edge by this fraction of the short side."""


def reduced(picture: Image.Image, short_side: int) -> Image.Image:
    """Reduce an RGB or RGBA picture so that its short side is at most ``short_side``; it is never enlarged."""
    return _scaled(picture, short_side / min(picture.size))


def has_transparency(alpha: Image.Image | None) -> bool:
    """Tell whether so much of a picture is see-through that it is a cut-out."""
    return alpha is not None and float((np.asarray(alpha) < 128).mean()) > TRANSPARENT_SHARE


def cropped_to_matte(
    rgba: UInt8[np.ndarray, "height width 4"], long_side: int
) -> UInt8[np.ndarray, "rows columns 4"] | None:
    """Crop to what is visible and reduce to a long side.

    Returns:
        The cut-out, or ``None`` where nothing is visible.
    """
    rows, columns = np.nonzero(rgba[..., 3] >= VISIBLE_ALPHA)
    if not len(rows):
        return None
    crop = Image.fromarray(rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    return np.asarray(_scaled(crop, long_side / max(crop.size)))


def over_grey(pixels: UInt8[np.ndarray, "height width channels"]) -> UInt8[np.ndarray, "height width 3"]:
    """Lay a picture over middle grey where it is transparent."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return (pixels[..., :3] * alpha + 128 * (1 - alpha)).round().astype(np.uint8)


def with_matte(
    photo: UInt8[np.ndarray, "height width 3"], matte: Float32[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 4"]:
    """Join a photograph and the matte of its subject.

    Under the soft edge a photograph shows a mixture of subject and background; there the colour of the subject's inside
    is carried outward, or a dark rim would follow the subject onto a light background.
    """
    inside = (matte >= 0.98).astype(np.float32)[..., None]
    blur = ImageFilter.GaussianBlur(max(2.5, min(photo.shape[:2]) / EDGE_REACH / 2))
    spread = np.stack(
        [
            np.asarray(Image.fromarray(np.ascontiguousarray(channel)).filter(blur))
            for channel in np.moveaxis(np.concatenate([photo * inside, 255 * inside], axis=-1).astype(np.uint8), -1, 0)
        ],
        axis=-1,
    ).astype(np.float32)
    weight = spread[..., 3:] / 255
    carried = np.where(weight > 0.02, spread[..., :3] / np.maximum(weight, 0.02), photo)
    colour = np.where(inside > 0, photo, np.clip(carried, 0, 255))
    return np.concatenate([colour, 255 * matte[..., None]], axis=-1).round().astype(np.uint8)


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    if picture.mode != "RGBA":
        return picture.resize(size, Image.Resampling.LANCZOS)
    # Colours under transparent pixels must not bleed into the edge.
    return picture.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
