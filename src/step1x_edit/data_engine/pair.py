"""One edit pair, in pictures and as a wish; or why a recipe made none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.data_engine.wish import Wish
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Box, StageRecord

__all__ = ["EditPair", "Refusal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPair:
    """Reference image, wish and target, with what is known about the change."""

    reference: UInt8[np.ndarray, "height width 3"]
    target: UInt8[np.ndarray, "height width 3"]
    changed: Bool[np.ndarray, "height width"]
    """True where the edit may differ from the reference; outside the two are equal."""
    wish: Wish
    task: EditTask
    detail: str = ""
    """The look, colour, material, style or place asked for, or the object that comes instead; "" when nothing is said."""
    boxes: tuple[Box, ...] = ()
    """Objects that are known to be in the reference image or the target."""
    sources: tuple[str, ...] = ()
    """Ids of the pictures it was made from."""
    stages: tuple[StageRecord, ...] = ()
    """What was done, in order, and by which part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A recipe's answer when a picture does not serve its task."""

    stage: str
    """Stage of the recipe that said no."""
    reason: str
    """One sentence."""
    value: float | None = None
    threshold: float | None = None
    sources: tuple[str, ...] = ()
