"""Where in a picture things can stand: even ground that reaches in from below and ends at a horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.experts.extras import optional_package
from step1x_edit.measures.colour import to_oklab

__all__ = ["Ground", "ground_of", "sky_of"]

SIDE = 64
"""Side at which a picture is looked at, in pixels."""
ALIKE = 0.085
"""Difference in OKLab up to which ground counts as going on."""
ROUGH = 0.11
"""Mean slope of lightness, per pixel of the small picture, from which ground is too rough to stand on."""
SHALLOWEST, STEEPEST = 0.12, 0.72
"""Ground takes at least this share of the picture's height, and at most that: more is a surface seen from above."""
WIDE = 0.45
"""Share of the lowest rows that must be ground."""
WATER = -0.035
"""Mean OKLab blue-yellow below which ground is taken for water or snow in shade."""
LIGHTER = 0.06
"""How much lighter (OKLab) what lies beyond the horizon must be: sky, not the upper half of a wall."""
SKY_ROUGH = 0.03
"""Slope of lightness up to which the part above is sky."""
SKY_LEAST = 0.3
"""Share of the picture's height that sky must take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Ground of a picture, looked at in cells."""

    standable: Bool[np.ndarray, "cells cells"]
    """True where feet may stand."""
    horizon: float
    """Where the ground ends, as a fraction of the height from the top."""

    def allows(self, x: float, y: float) -> bool:
        """Tell whether feet may stand at a point, in fractions of width and height."""
        cells = len(self.standable)
        row, column = (min(cells - 1, max(0, int(at * cells))) for at in (y, x))
        return bool(self.standable[row, column])


def ground_of(picture: UInt8[np.ndarray, "size size 3"]) -> Ground | None:
    """Find the ground of a picture, or say that it has none to stand on.

    Ground is what is alike in colour from the lower edge upward, calm, not blue, and ends below something lighter.
    """
    lab, rough = _looked_at(picture)
    seed = np.median(lab[-6:].reshape(-1, 3), axis=0)
    alike = np.linalg.norm((lab - seed) * (0.6, 1.6, 1.6), axis=-1) < ALIKE + 0.05
    alike &= rough < ROUGH
    ground = _reaching_up(alike)
    share = ground.mean(axis=1)
    if share[-6:].mean() < WIDE or lab[ground][:, 2].mean() < WATER:
        return None
    rows = np.flatnonzero(share > WIDE)
    horizon = rows[0] / SIDE
    if not SHALLOWEST <= 1 - horizon <= STEEPEST:
        return None
    if lab[: rows[0], :, 0].mean() < lab[ground][:, 0].mean() + LIGHTER:
        return None
    standable = ground.copy()
    standable[: rows[0] + 2] = False
    return Ground(standable=standable, horizon=float(horizon))


def sky_of(picture: UInt8[np.ndarray, "size size 3"]) -> float:
    """Return down to which fraction of the height a picture shows calm, light sky; 0 when it shows none."""
    lab, rough = _looked_at(picture)
    sky = (rough < SKY_ROUGH) & (lab[..., 0] > 0.45) & (lab[..., 2] < 0.05)
    rows = sky.mean(axis=1) > 0.85
    depth = int(np.argmin(rows)) if not rows.all() else SIDE
    return depth / SIDE if depth / SIDE >= SKY_LEAST else 0.0


def _looked_at(picture: UInt8[np.ndarray, "size size 3"]) -> tuple[np.ndarray, np.ndarray]:
    cv2 = optional_package("cv2")
    lab = to_oklab(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    down, across = np.gradient(lab[..., 0])
    return lab, cv2.blur(np.hypot(down, across), (5, 5))


def _reaching_up(alike: Bool[np.ndarray, "cells cells"]) -> Bool[np.ndarray, "cells cells"]:
    """Keep, in each column, what is joined to the lower edge; a gap of one cell does not end it."""
    closed = alike | np.roll(alike, 1, axis=0) | np.roll(alike, -1, axis=0)
    return np.cumprod(closed[::-1], axis=0)[::-1].astype(bool)
