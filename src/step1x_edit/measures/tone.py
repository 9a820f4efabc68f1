"""Tone: how light, contrasty, warm and colourful a picture is, and which way an edit moved it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.measures.colour import to_oklab

__all__ = ["Tone", "tone_direction", "tone_of"]

Rgb = UInt8[np.ndarray, "height width 3"]
WARM_DEGREES = 60.0
"""Hue of orange in OKLab; the axis through it and sky blue, opposite, is that of colour temperature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """The tone of a picture, or the difference between two; all in OKLab."""

    luminance: float
    """Mean lightness, 0..1."""
    contrast: float
    """Standard deviation of lightness, 0..0.5."""
    warmth: float
    """Mean position between sky blue (below 0) and orange (above 0), about -0.2..0.2."""
    saturation: float
    """Mean chroma, about 0..0.3."""


def tone_of(picture: Rgb, *, where: Bool[np.ndarray, "height width"] | None = None) -> Tone:
    """Return the tone of a picture, or of the part a mask shows (which must not be empty)."""
    lab = to_oklab(picture if where is None else picture[where])
    angle = np.radians(WARM_DEGREES)
    return Tone(
        luminance=float(lab[..., 0].mean()),
        contrast=float(lab[..., 0].std()),
        warmth=float(np.cos(angle) * lab[..., 1].mean() + np.sin(angle) * lab[..., 2].mean()),
        saturation=float(np.hypot(lab[..., 1], lab[..., 2]).mean()),
    )


def tone_direction(before: Rgb, after: Rgb) -> Tone:
    """Return by how much an edit moved a picture along each axis: after minus before."""
    first, second = tone_of(before), tone_of(after)
    return Tone(
        luminance=second.luminance - first.luminance,
        contrast=second.contrast - first.contrast,
        warmth=second.warmth - first.warmth,
        saturation=second.saturation - first.saturation,
    )
