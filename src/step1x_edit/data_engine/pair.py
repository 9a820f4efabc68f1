"""One edit pair, in pictures and as a wish; the same put into words; and pairs stacked for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.data_engine.instructions import Language
from step1x_edit.data_engine.wish import Wish, mirrored_wish
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Box, StageRecord

__all__ = ["EditPair", "PairBatch", "Refusal", "WordedPair", "collate", "mirrored", "worded"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WordedPair(EditPair):
    """A pair whose wish is put into words."""

    instruction: str
    language: Language


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBatch:
    """Pairs of one size, stacked."""

    reference: UInt8[np.ndarray, "batch height width 3"]
    target: UInt8[np.ndarray, "batch height width 3"]
    changed: Bool[np.ndarray, "batch height width"]
    instructions: tuple[str, ...]
    tasks: tuple[EditTask, ...]


def collate(pairs: Sequence[WordedPair]) -> PairBatch:
    """Stack pairs of one size.

    Raises:
        ValueError: There are no pairs, or their sizes differ.
    """
    return PairBatch(
        reference=np.stack([pair.reference for pair in pairs]),
        target=np.stack([pair.target for pair in pairs]),
        changed=np.stack([pair.changed for pair in pairs]),
        instructions=tuple(pair.instruction for pair in pairs),
        tasks=tuple(pair.task for pair in pairs),
    )


def worded(pair: EditPair, *, instruction: str, language: Language) -> WordedPair:
    """Return the pair with its wish in words."""
    known = {field.name: getattr(pair, field.name) for field in fields(EditPair)}
    return WordedPair(**known, instruction=instruction, language=language)


def mirrored(pair: EditPair) -> EditPair:
    """Flip a pair left to right, wish included: what lay on the left lies on the right."""
    return replace(
        pair,
        reference=np.ascontiguousarray(pair.reference[:, ::-1]),
        target=np.ascontiguousarray(pair.target[:, ::-1]),
        changed=np.ascontiguousarray(pair.changed[:, ::-1]),
        wish=mirrored_wish(pair.wish),
        boxes=tuple(box.model_copy(update={"left": 1 - box.right, "right": 1 - box.left}) for box in pair.boxes),
    )
