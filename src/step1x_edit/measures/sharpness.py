"""Sharpness: how much of the finest detail a region has, beside its surround or beside another picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32

from step1x_edit.measures.masks import dilated
from step1x_edit.measures.structure import inner

__all__ = ["block_edges", "fineness", "laplacian", "laplacian_variance", "ring_around", "sharpness_ratio"]

Grey = Float32[np.ndarray, "height width"]
Pixels = Bool[np.ndarray, "height width"]
NOISE_FINENESS = 20.0
"""Fineness of white noise: the Laplacian sums 1 + 1 + 1 + 1 + 16 variances, the gradient a half in either direction."""
BLOCK_PX = 8
"""Side of the blocks that JPEG codes one by one."""


def laplacian(grey: Grey) -> Float32[np.ndarray, "rows columns"]:
    """Return the four neighbours minus four times the pixel, for every inner pixel; two rows and columns fewer."""
    return grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]


def laplacian_variance(grey: Grey, *, where: Pixels | None = None) -> float | None:
    """Return the variance of the Laplacian, in squared levels: high where there is fine detail or grain, 0 where flat.

    Returns:
        The variance, or None when the part is empty.
    """
    values = laplacian(grey)
    if where is not None:
        values = values[inner(where, margin_px=1)[1:-1, 1:-1]]
    return float(values.var()) if values.size else None


def sharpness_ratio(grey: Grey, inside: Pixels, surround: Pixels) -> float | None:
    """Return the Laplacian variance of a region over that of its surround: far below 1, the region is blurred.

    Returns:
        The ratio, or None when one of the two is empty or the surround is perfectly smooth.
    """
    within, beside = laplacian_variance(grey, where=inside), laplacian_variance(grey, where=surround)
    return None if within is None or not beside else within / beside


def ring_around(mask: Pixels, *, width_px: int, gap_px: int = 0) -> Pixels:
    """Return the band around a mask, from a gap on and so many pixels wide."""
    return dilated(mask, radius_px=gap_px + width_px) & ~dilated(mask, radius_px=gap_px)


def fineness(grey: Grey, *, where: Pixels | None = None, grain_levels: float = 0.0) -> float | None:
    """Return the energy of the Laplacian over that of the gradient: how fine detail is, whatever its contrast.

    20 for white noise, below 4 for most photographs; blurring lowers it, changes of brightness and contrast do not.

    Args:
        grey: Grey levels.
        where: The part to look at.
        grain_levels: Grain of so many levels is thought to lie over the picture, so that flat parts, where there is
            nothing but rounding, all count alike.

    Returns:
        The ratio, or None when the part is empty or perfectly smooth.
    """
    second = laplacian(grey) ** 2
    first = ((grey[1:-1, 2:] - grey[1:-1, :-2]) ** 2 + (grey[2:, 1:-1] - grey[:-2, 1:-1]) ** 2) / 4
    if where is not None:
        seen = inner(where, margin_px=1)[1:-1, 1:-1]
        second, first = second[seen], first[seen]
    if not first.size:
        return None
    energy = float(first.mean(dtype=np.float64)) + grain_levels**2
    return (float(second.mean(dtype=np.float64)) + NOISE_FINENESS * grain_levels**2) / energy if energy else None


def block_edges(grey: Grey) -> float:
    """Return how much steeper a picture is across the borders of 8 x 8 blocks than beside them: about 0 unless it was a JPEG.

    The steps across a border are compared with those one pixel before and after it, as a share of the mean step.
    """
    return (
        _block_edges(np.abs(np.diff(grey, axis=0)).mean(axis=1))
        + _block_edges(np.abs(np.diff(grey, axis=1)).mean(axis=0))
    ) / 2


def _block_edges(steps: Float32[np.ndarray, " steps"]) -> float:
    """Compare the mean steps from pixel to pixel along one axis, by their place in the block."""
    places = np.arange(len(steps)) % BLOCK_PX
    across = float(steps[places == BLOCK_PX - 1].mean())
    beside = float(steps[(places == BLOCK_PX - 2) | (places == 0)].mean())
    mean = float(steps.mean())
    return (across - beside) / mean if mean else 0.0
