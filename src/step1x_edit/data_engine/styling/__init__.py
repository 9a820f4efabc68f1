"""Styles drawn by algorithms: a photograph and a generator of random numbers in, the picture redrawn out.

All lengths follow the picture's short side, so that a style looks the same at 256 and at 512 px.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from step1x_edit.data_engine.styling.lines import Rgb, chalk, coloured_pencil, ink, pencil
from step1x_edit.data_engine.styling.paints import cartoon, oil, poster, watercolour
from step1x_edit.data_engine.styling.tiles import halftone, low_poly, pixels, points

__all__ = ["DRAWN"]

DRAWN: dict[str, Callable[[Rgb, np.random.Generator], Rgb]] = {
    "pencil sketch": pencil,
    "coloured pencil": coloured_pencil,
    "ink drawing": ink,
    "chalkboard": chalk,
    "watercolour": watercolour,
    "oil painting": oil,
    "cartoon": cartoon,
    "poster": poster,
    "pixel art": pixels,
    "pointillism": points,
    "comic halftone": halftone,
    "low poly": low_poly,
}
"""By the name in ``styles.toml``."""
