"""Where things can stand in a square of a photograph: known grounds, and one that is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from step1x_edit.data_engine.compositing.ground import ground_of
from step1x_edit.data_engine.compositing.habitats import KnownScene, Surface

__all__ = ["Ground", "bears", "seen_ground", "unknown_ground"]

Rgb = UInt8[np.ndarray, "size size 3"]
SEEN_GROUND = 0.4
"""Share of a window's width that ground must take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where things may be in a square picture: left, top, right, bottom in fractions."""

    surface: Surface
    box: tuple[float, float, float, float]


def seen_ground(known: KnownScene, window: tuple[slice, slice], shape: tuple[int, ...]) -> Ground | None:
    """Return the part of a known ground that a window shows, in fractions of the window, if that is enough."""
    if known.surface is None:
        return None
    height, width = shape[:2]
    side = window[0].stop - window[0].start
    left, right = ((at * width - window[1].start) / side for at in (known.box[0], known.box[2]))
    top, bottom = ((at * height - window[0].start) / side for at in (known.box[1], known.box[3]))
    box = max(0.03, left), max(0.05, top), min(0.97, right), min(0.98, bottom)
    if box[2] - box[0] < SEEN_GROUND or box[3] - box[1] < 0.03:
        return None
    return Ground(surface=known.surface, box=box)


def bears(
    known: KnownScene,
    window: tuple[slice, slice],
    shape: tuple[int, ...],
    feet: Sequence[tuple[float, float, float]],
) -> bool:
    """Tell whether a window of a photograph has land under all feet (left, right, row in fractions)."""
    ground = seen_ground(known, window, shape) if known.surface == "land" else None
    if ground is None:
        return False
    left, top, right, bottom = ground.box
    return all(left <= start and end <= right and top <= row <= bottom + 0.02 for start, end, row in feet)


def unknown_ground(background: Rgb) -> Ground | None:
    """Guess the ground of a picture that no table knows: its nearer part, where that can be stood on."""
    ground = ground_of(background)
    if ground is None:
        return None
    rows, columns = np.nonzero(ground.standable)
    cells = len(ground.standable)
    # Near the horizon everything is far away: feet stay in the nearer part.
    top = max(0.72, (rows.min() + 0.4 * (rows.max() - rows.min())) / cells)
    left, right = np.quantile(columns, (0.05, 0.95)) / cells
    return Ground(surface="land", box=(float(left), float(top), float(right), 0.98)) if top < 0.92 else None
