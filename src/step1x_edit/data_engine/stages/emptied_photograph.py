"""A photograph and the same photograph without its subject: what removal, addition and replacement share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.data_engine.compositing.emptying import GROWTH, SUBJECT, emptied
from step1x_edit.data_engine.pair import Refusal
from step1x_edit.data_engine.record import asked
from step1x_edit.data_engine.scene import Placed
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.schema.triplet import StageRecord

__all__ = ["EmptiedPhotograph", "emptied_photograph", "takes_photograph"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptiedPhotograph:
    """Both pictures, equal outside the hole, and what was in it."""

    photo: UInt8[np.ndarray, "size size 3"]
    empty: UInt8[np.ndarray, "size size 3"]
    hole: Bool[np.ndarray, "size size"]
    subject: Placed
    """With a matte of the whole picture's size."""
    source: str
    """Id of the photograph."""
    stages: tuple[StageRecord, ...]


def takes_photograph(stage: Stage, share: float, rng: np.random.Generator) -> bool:
    """Decide whether the next pair is made from a photograph.

    Never on a stage without experts; always on one that has nothing to compose.
    """
    return (
        stage.experts is not None
        and stage.experts.available("inpaint")
        and (rng.random() < share or not stage.can_compose)
    )


def emptied_photograph(
    stage: Stage, rng: np.random.Generator, *, replaceable: bool = False
) -> EmptiedPhotograph | Refusal:
    """Take a photograph with a named subject and empty it: matte, hole, filling, a look at the filling.

    Args:
        stage: Has experts; its pool holds photographs with mattes.
        rng: Makes all choices.
        replaceable: Only subjects for which something like them can come.

    Returns:
        The photograph with and without its subject, or why that cannot be shown.
    """
    assert stage.experts is not None, "a stage with experts, see takes_photograph"
    scene = stage.removable_subject(rng, replaceable=replaceable)
    if scene is None:
        return Refusal(stage="matte", reason="No photograph has a named subject small enough to be taken out.")
    (subject,) = scene.objects
    outcome = emptied(scene.background, subject.alpha[..., 0], stage.experts, rng)
    if isinstance(outcome, Refusal):
        return replace(outcome, sources=scene.sources)
    stages = (
        asked(stage.experts, "matte", f"threshold={SUBJECT} grown={round(GROWTH * stage.size)}px"),
        asked(stage.experts, "inpaint"),
    )
    return EmptiedPhotograph(
        photo=scene.background, empty=outcome.picture, hole=outcome.hole, subject=subject,
        source=scene.source, stages=stages,
    )  # fmt: skip
