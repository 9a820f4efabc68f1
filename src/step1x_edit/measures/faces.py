"""Faces: whether those of one picture are found again in another, and how far their forms agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from step1x_edit.measures.masks import PixelBox, box_overlap

__all__ = ["landmark_distance", "matched_boxes"]

LEAST_OVERLAP = 0.3
"""Overlap (intersection over union) from which two boxes hold the same face."""


def matched_boxes(first: Sequence[PixelBox], second: Sequence[PixelBox]) -> tuple[tuple[int, int], ...]:
    """Return pairs of places in two lists of boxes that overlap, the closest pairs first, each box once.

    Args:
        first: Boxes of one picture, in pixels.
        second: Boxes of the other, in the same pixels.
    """
    overlaps = [(box_overlap(one, two), i, j) for i, one in enumerate(first) for j, two in enumerate(second)]
    pairs: list[tuple[int, int]] = []
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap >= LEAST_OVERLAP and all(i != one and j != two for one, two in pairs):
            pairs.append((i, j))
    return tuple(pairs)


def landmark_distance(first: Float[np.ndarray, "points 2"], second: Float[np.ndarray, "points 2"]) -> float | None:
    """Return how far the landmarks of two faces lie apart when place, size and turn in the picture are taken away.

    Args:
        first: Landmarks of one face, x and y in pixels.
        second: The same landmarks of the other.

    Returns:
        Root of the mean squared distance over the spread of the face's landmarks, 0 for equal forms; ``None`` where a
        face has no extent.

    Source:
        Ordinary Procrustes analysis: J. Gower (1975).
    """
    one, two = (points.astype(np.float64) - points.mean(axis=0, dtype=np.float64) for points in (first, second))
    sizes = np.linalg.norm(one), np.linalg.norm(two)
    if min(sizes) == 0:
        return None
    one, two = one / sizes[0], two / sizes[1]
    left, strengths, right = np.linalg.svd(two.T @ one)
    # A mirrored face is another form: only turns are taken away.
    if np.linalg.det(left @ right) < 0:
        strengths[-1] = -strengths[-1]
    return float(np.sqrt(max(0.0, 1 - float(strengths.sum()) ** 2)))
