"""Judges a salient matte: is there one clear subject, is all of it in the picture, or is the picture a mere scene?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from step1x_edit.measures.masks import largest_region

__all__ = ["MatteVerdict", "judge_matte"]

SMALLEST, LARGEST = 0.03, 0.60
"""Share of the picture a subject takes at least and at most."""
SOFTEST = 0.22
"""Share of half-transparent pixels in the matte: above it the expert was undecided. Fur stays near 0.1."""
ONE_PIECE = 0.8
"""Share of a subject that hangs together at least."""
MOST_BORDERS = 2
"""Borders of the picture that a subject may touch; one that touches more is the ground or a frame."""
TOUCHING = 0.03
"""Share of a border's pixels inside the matte from which it counts as touched."""
SOFT = (0.1, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatteVerdict:
    """What a matte says about its photograph."""

    area: float
    """Share of the picture inside the matte, 0..1."""
    softness: float
    """Share of the matte's pixels that are half transparent."""
    borders: int
    """How many of the four borders it touches."""
    in_one_piece: float
    """Share of it in the largest connected region."""

    @property
    def subject(self) -> bool:
        """True when the photograph has one clear subject."""
        return (
            SMALLEST <= self.area <= LARGEST
            and self.softness <= SOFTEST
            and self.borders <= MOST_BORDERS
            and self.in_one_piece >= ONE_PIECE
        )

    @property
    def whole(self) -> bool:
        """True when all of that subject is in the picture, so that it can be cut out and put elsewhere."""
        return self.subject and self.borders == 0

    @property
    def scene(self) -> bool:
        """True when nothing stands out, so that an object may be put before it."""
        return self.area < SMALLEST


def judge_matte(matte: Float32[np.ndarray, "height width"]) -> MatteVerdict:
    """Measure a matte (0..1)."""
    inside = matte > 0.5
    soft = (matte > SOFT[0]) & (matte < SOFT[1])
    drawn = int((matte > SOFT[0]).sum())
    borders = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
    return MatteVerdict(
        area=float(inside.mean()),
        softness=float(soft.sum() / drawn) if drawn else 0.0,
        borders=sum(float(border.mean()) >= TOUCHING for border in borders),
        in_one_piece=_largest_share(inside),
    )


def _largest_share(inside: Bool[np.ndarray, "height width"]) -> float:
    total = int(inside.sum())
    return float(largest_region(inside) / total) if total else 0.0
