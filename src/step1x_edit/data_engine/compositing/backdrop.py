"""A new background for a subject that stays as it is: brought into the old picture's light, sharpness and grain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from step1x_edit.data_engine.compositing.edges import clean_edges
from step1x_edit.data_engine.compositing.light import light_of
from step1x_edit.data_engine.compositing.shadow import cast_shadow
from step1x_edit.data_engine.compositing.texture import grain_of, grainy, softness_of
from step1x_edit.data_engine.scene import Placed
from step1x_edit.experts.extras import optional_package

__all__ = ["backdrop_like", "carried_over"]

Rgb = UInt8[np.ndarray, "size size 3"]
PULL = 0.35
"""How far the mean colour of the new background goes toward that of the old one, as an exponent."""
GAIN_LIMITS = (0.7, 1.35)
MOST_BLUR = 0.008
"""As a share of the side."""
DARKNESS = (0.75, 1.0)


def backdrop_like(new: Rgb, old: Rgb, *, rng: np.random.Generator) -> Rgb:
    """Bring a photograph into the light, sharpness and grain of another.

    Args:
        new: The photograph that is to lie behind a subject.
        old: The picture that the subject comes from.
        rng: Makes the grain.
    """
    cv2 = optional_package("cv2")
    levels, before = new.astype(np.float32), old.astype(np.float32)
    means = levels[::4, ::4].mean(axis=(0, 1)) + 4, before[::4, ::4].mean(axis=(0, 1)) + 4
    # Brightness follows; of the tint only half, or a meadow would turn a beach green.
    bright = (means[1].mean() / means[0].mean()) ** PULL
    tint = ((means[1] / means[1].mean()) / (means[0] / means[0].mean())) ** (PULL / 2)
    levels = np.minimum(levels * np.clip(bright * tint, *GAIN_LIMITS).astype(np.float32), 255)
    missing = max(0.0, softness_of(before) ** 2 - softness_of(levels) ** 2) ** 0.5
    blur = min(MOST_BLUR * len(new), missing)
    if blur > 0.3:
        levels = cv2.GaussianBlur(levels, (0, 0), blur)
    grain = max(0.0, grain_of(before) ** 2 - grain_of(levels) ** 2) ** 0.5
    return np.clip(grainy(levels, grain, rng) + 0.5, 0, 255).astype(np.uint8)


def carried_over(one: Placed, backdrop: Rgb, *, rng: np.random.Generator) -> Placed:
    """Return a subject with clean edges and the shadow it throws in its new place."""
    rgba = np.concatenate([one.colour, 255 * one.alpha], axis=-1).clip(0, 255).round().astype(np.uint8)
    cleaned = clean_edges(rgba)
    inside = (one.alpha == 1) & (cleaned[..., 3:] == 255) & (cleaned[..., :3] == rgba[..., :3]).all(-1, keepdims=True)
    # Inside, the very same numbers: rounding would change a pixel by one level.
    colour = np.where(inside, one.colour, cleaned[..., :3].astype(np.float32))
    alpha = cleaned[..., 3:].astype(np.float32) / 255
    rows, columns = (np.flatnonzero(alpha[..., 0].max(axis=axis) > 0.3) for axis in (1, 0))
    cut = alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    shade = cast_shadow(cut, light_of(backdrop))
    moved = replace(shade, down=shade.down + int(rows[0]), right=shade.right + int(columns[0]))
    return replace(
        one, colour=colour.astype(np.float32), alpha=alpha, shade=moved, shadow=float(rng.uniform(*DARKNESS))
    )
