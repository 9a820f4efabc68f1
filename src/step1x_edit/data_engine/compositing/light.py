"""Light of a picture, and a cut-out brought into it: brightness, contrast and white balance of the place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from step1x_edit.data_engine.compositing.texture import LUMA

__all__ = ["Light", "in_light", "light_of", "lit_side"]

Rgb = UInt8[np.ndarray, "height width 3"]
STEP = 4
"""Every fourth pixel is enough for statistics."""
NORM = 5
"""Exponent of the mean that stands for the colour of the light (shades of grey; Finlayson and Trezzi 2004)."""
TINT, TINT_LIMITS = 0.4, (0.88, 1.14)
"""How far the colour of the light goes over to the cut-out, and the limits of the factor on a channel."""
NEUTRAL_SHARE = 0.5
"""How far a cut-out's own light is taken away before."""
RANGE_PULL = 0.55
"""How far the cut-out's darkest and lightest parts move toward those of the place."""
DARK, LIGHT = 3, 97
"""Percentiles taken as darkest and lightest."""
FULL_RANGE, MOST_LIFT = 120.0, 60.0
"""Levels between dark and light from which a place is followed fully; most that dark parts are lifted before the pull."""
GAIN_LIMITS = (0.5, 1.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Where light comes from and how hard it is."""

    side: float
    """-1 from the left, 0 from above, 1 from the right."""
    hardness: float
    """0 overcast, 1 direct sun."""


def light_of(picture: Rgb) -> Light:
    """Estimate the light of a picture: the brighter side of its upper part, and how strong its contrast is."""
    luma = picture[::STEP, ::STEP].astype(np.float32) @ LUMA
    upper = luma[: max(1, int(0.6 * luma.shape[0]))]
    side = np.clip(3 * _tilt(upper, np.ones_like(upper)), -1, 1)
    low, middle, high = np.percentile(luma, (5, 50, 95))
    return Light(side=float(side), hardness=float(np.clip((high - low) / 255 - 0.35, 0, 0.6) / 0.6 * (middle > 50)))


def lit_side(colour: Float32[np.ndarray, "rows columns 3"], alpha: Float32[np.ndarray, "rows columns 1"]) -> float:
    """Return from which side an object is lit: below 0 from the left, above 0 from the right, about -1 to 1."""
    return float(np.clip(3 * _tilt(colour[::STEP, ::STEP] @ LUMA, alpha[::STEP, ::STEP, 0]), -1, 1))


def in_light(
    colour: Float32[np.ndarray, "rows columns 3"],
    alpha: Float32[np.ndarray, "rows columns 1"],
    *,
    around: UInt8[np.ndarray, "rows_around columns_around 3"],
    picture: Rgb,
) -> Float32[np.ndarray, "rows columns 3"]:
    """Bring a cut-out into the light of a picture.

    Args:
        colour: sRGB levels of the cut-out.
        alpha: Its matte.
        around: The part of the picture around its spot.
        picture: The whole picture.

    Returns:
        Levels whose darkest and lightest parts lie nearer to those around, in the colour of the picture's light.
    """
    own = colour[::2, ::2][alpha[::2, ::2, 0] > 0.5]
    if len(own) < 16:
        return colour
    everywhere = picture[::STEP, ::STEP].reshape(-1, 3).astype(np.float32)
    tint = np.clip(_illuminant(everywhere) ** TINT / _illuminant(own) ** (TINT * NEUTRAL_SHARE), *TINT_LIMITS)
    place = np.concatenate([around[::STEP, ::STEP].reshape(-1, 3), everywhere[::4]]).astype(np.float32) @ LUMA
    (low, high), (to_low, to_high) = (np.percentile(one, (DARK, LIGHT)) for one in (own @ LUMA, place))
    # A plain place says little about how dark its darkest objects would be.
    pull = RANGE_PULL * min(1.0, float(to_high - to_low) / FULL_RANGE)
    to_low, to_high = low + pull * min(to_low - low, MOST_LIFT), high + pull * (to_high - high)
    gain = np.clip((to_high - to_low) / max(high - low, 24.0), *GAIN_LIMITS)
    middle, to_middle = (low + high) / 2, (to_low + to_high) / 2
    # A lighter place may not wash a dark object out, nor a dark one bury it.
    moved = to_middle + gain * (colour - middle) + np.clip(middle - to_middle, -60, 60) * 0.15
    return np.clip(moved * tint, 0, 255).astype(np.float32)


def _illuminant(pixels: Float32[np.ndarray, "pixels 3"]) -> Float32[np.ndarray, " 3"]:
    light = ((pixels / 255) ** NORM).mean(axis=0) ** (1 / NORM) + 1e-3
    return (light / light.mean()).astype(np.float32)


def _tilt(luma: Float32[np.ndarray, "rows columns"], weight: Float32[np.ndarray, "rows columns"]) -> float:
    """Return how much brighter the right half is than the left, relative to both, about -1 to 1."""
    total = weight.sum() + 1e-6
    across = np.broadcast_to(np.linspace(-1, 1, luma.shape[1], dtype=np.float32), luma.shape)
    middle = (across * weight).sum() / total
    offset = (across - middle) * weight
    spread = (offset * (across - middle)).sum() + 1e-6
    return float((offset * luma).sum() / spread * np.sqrt(spread / total) / ((luma * weight).sum() / total + 1))
