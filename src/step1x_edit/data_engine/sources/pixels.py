"""Brings pictures of packages to the size and form the pool keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageFilter

__all__ = ["cropped_to_matte", "read_cutout", "read_photo", "with_matte"]

PHOTO_SIDE = 320
"""Short side of a stored photograph, in pixels; room for crops of a 256 px training picture."""
CUTOUT_SIDE = 224
"""Long side of a stored cut-out, in pixels; the emoji are drawn at 256 with a margin."""
VISIBLE_ALPHA = 8
"""Alpha (0..255) from which a pixel counts as part of a cut-out; stamps carry faint dust below it."""
EDGE_REACH = 5
"""How far, in pixels, the colour of a subject's inside is carried outward under its soft edge."""


def read_photo(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read a photograph, reduced to the short side the pool keeps."""
    with Image.open(path) as picture:
        scale = min(1.0, PHOTO_SIDE / min(picture.size))
        size = (round(picture.width * scale), round(picture.height * scale))
        return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))


def read_cutout(path: Path) -> UInt8[np.ndarray, "rows columns 4"]:
    """Read a picture that comes with alpha, cropped to what is visible and reduced."""
    with Image.open(path) as picture:
        return cropped_to_matte(np.asarray(picture.convert("RGBA")))


def cropped_to_matte(rgba: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "rows columns 4"]:
    """Crop to what is visible and reduce to the long side the pool keeps."""
    rows, columns = np.nonzero(rgba[..., 3] >= VISIBLE_ALPHA)
    crop = Image.fromarray(rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    scale = min(1.0, CUTOUT_SIDE / max(crop.size))
    return np.asarray(crop.resize((max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))))


def with_matte(
    photo: UInt8[np.ndarray, "height width 3"], matte: Float32[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 4"]:
    """Join a photograph and the matte of its subject.

    Under the soft edge a photograph shows a mixture of subject and background; there the colour of the subject's inside
    is carried outward, or a dark rim would follow the subject onto a light background.
    """
    inside = (matte >= 0.98).astype(np.float32)[..., None]
    blur = ImageFilter.GaussianBlur(EDGE_REACH / 2)
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
