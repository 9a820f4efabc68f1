"""Preservation: what an edit left alone, outside its mask and a margin around it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from step1x_edit.measures.masks import dilated

__all__ = ["BIT_EQUAL_DB", "mean_where", "outside", "psnr"]

BIT_EQUAL_DB = 100.0
"""What stands for an infinite ratio, where not one level differs."""
MARGIN_SHARE = 1 / 64
"""Margin around a mask as a share of the longer side: what an edit may blend into its surround."""


def outside(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Return what must stay: everything further from the mask than a 64th of the longer side."""
    return ~dilated(mask, radius_px=round(max(mask.shape) * MARGIN_SHARE))


def psnr(
    first: UInt8[np.ndarray, "height width 3"],
    second: UInt8[np.ndarray, "height width 3"],
    *,
    where: Bool[np.ndarray, "height width"],
) -> float | None:
    """Return the peak signal-to-noise ratio over part of two pictures, in dB; 100 at most, where they are bit-equal.

    Returns:
        The ratio, or None when the part is empty.
    """
    if not where.any():
        return None
    difference = (np.maximum(first, second) - np.minimum(first, second)).astype(np.float32) * where[..., None]
    error = float(np.vdot(difference, difference)) / (3 * int(where.sum()))
    return min(BIT_EQUAL_DB, 10 * float(np.log10(255**2 / error))) if error else BIT_EQUAL_DB


def mean_where(distance: Float32[np.ndarray, "height width"], where: Bool[np.ndarray, "height width"]) -> float | None:
    """Return the mean of a map of (perceptual) distance over part of a picture, or None when the part is empty."""
    return float(distance[where].mean()) if where.any() else None
