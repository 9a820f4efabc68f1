"""Cleans the rim of a cut-out: where the matte is soft, a pixel still shows some of the background it was cut from."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from step1x_edit.experts.extras import optional_package

__all__ = ["clean_edges"]

INSIDE = 0.97
"""Matte from which a pixel, away from the rim, shows the subject alone."""
SPREADS_PX = (1.2, 3.0, 7.0)
"""How far the inside's colour is carried outward, nearest first."""
SURE = 0.05
"""Share of inside pixels around a rim pixel from which the carried colour is used."""
FRINGE = 0.15
"""Matte below this is dropped and the rest stretched: the outermost part of a rim is mostly background."""


def clean_edges(rgba: UInt8[np.ndarray, "rows columns 4"]) -> UInt8[np.ndarray, "rows columns 4"]:
    """Return the cut-out with its inside's colour under the rim, and without the faintest part of the matte.

    A hair too thin to have an inside keeps its own colour.

    Raises:
        MissingExtra: OpenCV is not installed.
    """
    cv2 = optional_package("cv2")
    colour, alpha = rgba[..., :3].astype(np.float32), rgba[..., 3:].astype(np.float32) / 255
    inside = cv2.erode((alpha[..., 0] >= INSIDE).astype(np.uint8), np.ones((3, 3), np.uint8))[..., None]
    inside = inside.astype(np.float32)
    carried, open_part = np.where(inside > 0, colour, 0), 1 - inside
    sources = np.concatenate([colour * inside, inside], axis=-1)
    for spread in SPREADS_PX:
        blurred = cv2.GaussianBlur(sources, (0, 0), spread)
        reached = open_part * (blurred[..., 3:] > SURE)
        carried += reached * blurred[..., :3] / np.maximum(blurred[..., 3:], SURE)
        open_part = open_part - reached
    carried += open_part * colour
    matte = np.clip((alpha - FRINGE) / (1 - FRINGE - 0.03), 0, 1)
    return np.concatenate([carried, 255 * matte], axis=-1).clip(0, 255).round().astype(np.uint8)
