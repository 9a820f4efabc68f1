"""Where an object goes and how large it is: sizes, sides, overlaps, windows."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from step1x_edit.data_engine.instructions import Place, places
from step1x_edit.data_engine.scene import Placed

__all__ = ["blends_in", "fitted", "overlap", "scaled", "share_taken", "side_of", "window_around"]

Rgb = UInt8[np.ndarray, "size size 3"]
Rgba = UInt8[np.ndarray, "rows columns 4"]
LARGEST_GAIN = 1.6
"""Small cut-outs are not enlarged beyond this."""
TOLD_APART = 60.0
"""Difference in mean levels (0..255) between an object and what is behind it that needs no better spot."""
CLEARLY_ASIDE = 0.37
"""An object whose middle is nearer to an edge than this fraction lies on that side."""


def scaled(rgba: Image.Image, side: float) -> UInt8[np.ndarray, "rows columns 4"]:
    """Bring a cut-out's long side to a number of pixels, enlarging it by :data:`LARGEST_GAIN` at most."""
    scale = min(side / max(rgba.size), LARGEST_GAIN)
    size = [max(4, round(extent * scale)) for extent in rgba.size]
    return np.asarray(rgba.resize((size[0], size[1]), Image.Resampling.BICUBIC, reducing_gap=2.0))


def side_of(across: float) -> Place | None:
    """Return the side an object clearly lies on, left or right, if it does.

    Args:
        across: Where its middle is, as a fraction of the width from the left edge.
    """
    if across < CLEARLY_ASIDE:
        return places()["left"]
    return places()["right"] if across > 1 - CLEARLY_ASIDE else None


def share_taken(rgba: Rgba) -> float:
    """Return how much of the largest square of a photograph its subject takes, 0..1."""
    matte = rgba[::4, ::4, 3] > 127
    return float(matte.sum() / min(matte.shape) ** 2)


def window_around(
    matte: UInt8[np.ndarray, "height width"], rng: np.random.Generator, *, at_least: float
) -> tuple[slice, slice]:
    """Draw a square window that shows a subject, whole if it fits."""
    side = int(min(matte.shape) * rng.uniform(at_least, 1.0))
    window = []
    for axis, extent in ((1, matte.shape[0]), (0, matte.shape[1])):
        seen = np.flatnonzero(matte.max(axis=axis) > 127)
        low, high = sorted((seen[-1] + 1 - side, seen[0]))
        start = int(np.clip(rng.integers(low, high + 1), 0, extent - side))
        window.append(slice(start, start + side))
    return window[0], window[1]


def overlap(spot: tuple[int, int], size: tuple[int, int], other: Placed) -> float:
    """Return how much of the smaller of two boxes the other covers, 0..1."""
    shared, areas = 1.0, [1.0, 1.0]
    for start, extent, taken in zip(spot, size, other.box, strict=True):
        shared *= max(0, min(start + extent, taken.stop) - max(start, taken.start))
        areas = [areas[0] * extent, areas[1] * (taken.stop - taken.start)]
    return shared / min(areas)


def blends_in(rgba: UInt8[np.ndarray, "rows columns 4"], background: Rgb, spot: tuple[int, int]) -> float:
    """Return how little an object's mean colour differs from what is behind it, 0..1."""
    rows, columns = rgba.shape[:2]
    behind = background[spot[0] : spot[0] + rows, spot[1] : spot[1] + columns]
    # Every fourth pixel is enough for a mean.
    seen = rgba[::4, ::4, 3:] > 127
    own = (rgba[::4, ::4, :3] * seen).sum(axis=(0, 1)) / max(1, int(seen.sum()))
    return max(0.0, 1 - float(np.abs(own - behind[::4, ::4].mean(axis=(0, 1))).mean()) / TOLD_APART)


def fitted(rgba: Rgba, size: tuple[int, int]) -> UInt8[np.ndarray, "new_rows new_columns 4"]:
    """Bring a cut-out to exactly these rows and columns."""
    if rgba.shape[:2] == size:
        return rgba
    picture = Image.fromarray(np.ascontiguousarray(rgba))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.LANCZOS))
