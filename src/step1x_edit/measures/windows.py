"""Sums over a square window at every position: the plain tool under structure, shift and sharpness."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

__all__ = ["window_means"]


def window_means(values: Float32[np.ndarray, "height width"], *, side_px: int) -> Float32[np.ndarray, "rows columns"]:
    """Return the mean of every square window that lies inside a picture; there are ``height - side_px + 1`` rows of them.

    Windows of 1, 2, 4 ... pixels are added up, so that a sum has few terms and keeps its precision.
    """
    return _sums(_sums(values, side_px, 0), side_px, 1) / np.float32(side_px**2)


def _sums(values: Float32[np.ndarray, "height width"], side_px: int, axis: int) -> Float32[np.ndarray, "rows columns"]:
    """Add up ``side_px`` neighbours along an axis, by way of sums of 1, 2, 4 ..."""

    def stretch(start: int, stop: int) -> tuple[slice, slice]:
        return (slice(start, stop), slice(None)) if axis == 0 else (slice(None), slice(start, stop))

    windows = values.shape[axis] - side_px + 1
    total, start, span = None, 0, 1
    while start < side_px:
        if side_px & span:
            part = values[stretch(start, start + windows)]
            total = part if total is None else total + part
            start += span
        if start < side_px:
            extent = values.shape[axis]
            values = values[stretch(0, extent - span)] + values[stretch(span, extent)]
            span *= 2
    assert total is not None, "a window has a side"
    return total
