"""Grain and sharpness of pictures: measured where a cut-out goes, and given to it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from step1x_edit.experts.extras import optional_package

__all__ = ["SOFTEST_PX", "grain_of", "grainy", "softened", "softness_of"]

Colour = Float32[np.ndarray, "height width 3"]
Matte = Float32[np.ndarray, "height width"]
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
TILE_PX = 8
"""Grain is measured in tiles of this many 2 x 2 blocks."""
CALM = 0.25
"""Only this share of tiles, the calmest, is looked at: the rest has structure."""
GAUSS = 0.6745
"""Median of the absolute value of a normal variable of deviation 1."""
MOST_GRAIN = 6.0
"""Levels (0..255) beyond which it is not the camera's."""
PRE_SMOOTHING = 0.8
"""Pixels; keeps grain from counting as sharpness."""
SHARPEST = 99.5
"""Percentile of edges that counts: a defocused background still has the lens's sharpness somewhere."""
INSIDE = 0.97
"""Matte from which a pixel shows the subject alone."""
SOFTEST_PX = 4.0
"""Softness of a picture without any edge."""


def grain_of(picture: Colour, matte: Matte | None = None) -> float:
    """Return the deviation of a picture's luma grain in levels (0..255).

    Measured from the diagonal differences of 2 x 2 blocks, by their median in tiles, over the calmest quarter of tiles.

    Args:
        picture: sRGB levels 0..255.
        matte: Where to look; everywhere when not given.
    """
    luma = picture @ LUMA
    height, width = (extent // (2 * TILE_PX) * 2 * TILE_PX for extent in luma.shape)
    luma = luma[:height, :width]
    diagonal = (luma[::2, ::2] - luma[1::2, ::2] - luma[::2, 1::2] + luma[1::2, 1::2]) / 2
    tiles = _tiled(np.abs(diagonal))
    level = _tiled(luma[::2, ::2]).mean(axis=1)
    usable = (level > 8) & (level < 247)
    if matte is not None:
        usable &= _tiled(matte[:height:2, :width:2]).min(axis=1) > 0.95
    if usable.sum() < 4:
        return 0.0
    return float(min(MOST_GRAIN, np.quantile(np.median(tiles[usable], axis=1), CALM) / GAUSS))


def grainy(colour: Colour, amount: float, rng: np.random.Generator) -> Colour:
    """Return the picture with luma grain of a deviation (levels) added."""
    if amount <= 0.05:
        return colour
    grain = rng.standard_normal(colour.shape[:2], dtype=np.float32)
    return np.clip(colour + amount * grain[..., None], 0, 255)


def softness_of(picture: Colour, matte: Matte | None = None) -> float:
    """Return how soft a picture's sharpest edges are: the deviation, in pixels, of the blur that made them.

    For a step blurred by s the steepest slope is h / (s sqrt(2 pi)) and the largest second derivative 0.607 of that
    divided by s, so that their ratio gives s whatever the step's height.
    """
    cv2 = optional_package("cv2")
    luma = cv2.GaussianBlur(np.ascontiguousarray(picture @ LUMA), (0, 0), PRE_SMOOTHING)
    across, down = np.diff(luma, axis=1)[:-1], np.diff(luma, axis=0)[:, :-1]
    bend = np.maximum(np.abs(np.diff(luma, 2, axis=1))[1:-1], np.abs(np.diff(luma, 2, axis=0))[:, 1:-1])
    slope = np.hypot(across, down)[1:, 1:]
    if matte is not None:
        inside = cv2.erode((matte > INSIDE).astype(np.uint8), np.ones((5, 5), np.uint8))[1:-1, 1:-1] > 0
        if inside.sum() < 64:
            return SOFTEST_PX
        slope, bend = slope[inside], bend[inside]
    steepest, sharpest = np.percentile(slope[::2], SHARPEST), np.percentile(bend[::2], SHARPEST)
    if steepest < 2:
        return SOFTEST_PX
    total = 0.607 * steepest / max(float(sharpest), 1e-3)
    return float(min(SOFTEST_PX, np.sqrt(max(0.0, total**2 - PRE_SMOOTHING**2))))


def softened(
    colour: Colour, alpha: Float32[np.ndarray, "height width 1"], *, inside_px: float, rim_px: float
) -> tuple[Colour, Float32[np.ndarray, "height width 1"]]:
    """Blur a cut-out.

    Args:
        colour: Its colour; what lies outside the matte does not bleed in.
        alpha: Its matte.
        inside_px: Deviation of the blur of its colour.
        rim_px: Deviation of the blur of its matte, which stays within its frame.
    """
    cv2 = optional_package("cv2")
    if inside_px > 0.25:
        weighted = cv2.GaussianBlur(np.concatenate([colour * alpha, alpha], axis=-1), (0, 0), inside_px)
        mixed = weighted[..., :3] / np.maximum(weighted[..., 3:], 1e-3)
        colour = np.where(weighted[..., 3:] > 0.02, mixed, colour)
    if rim_px > 0.25:
        blurred = cv2.GaussianBlur(alpha, (0, 0), rim_px)[..., None]
        # Pulled inward: a matte that grows would show colours from outside the subject.
        alpha = np.clip(1.25 * blurred - 0.25, 0, 1)
    return colour, alpha


def _tiled(blocks: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "tiles blocks"]:
    rows, columns = (extent // TILE_PX for extent in blocks.shape)
    tiles = blocks.reshape(rows, TILE_PX, columns, TILE_PX).transpose(0, 2, 1, 3)
    return tiles.reshape(rows * columns, TILE_PX * TILE_PX)
