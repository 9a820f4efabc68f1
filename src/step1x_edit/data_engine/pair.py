"""One training pair, and pairs stacked for training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.data_engine.instructions import Language
from step1x_edit.schema.tasks import EditTask

__all__ = ["EditPair", "PairBatch", "collate", "mirrored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPair:
    """Reference image, instruction and target, with what is known about the change."""

    reference: UInt8[np.ndarray, "height width 3"]
    target: UInt8[np.ndarray, "height width 3"]
    changed: Bool[np.ndarray, "height width"]
    """True where the edit may differ from the reference; outside the two are equal."""
    instruction: str
    language: Language
    task: EditTask
    detail: str
    """The look, colour or place asked for, or the object that comes instead; "" when nothing is said."""
    subject: str = ""
    """English name of the edited object; "" for an edit of the whole picture."""
    place: str = ""
    """Name of the place the instruction speaks of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBatch:
    """Pairs of one size, stacked."""

    reference: UInt8[np.ndarray, "batch height width 3"]
    target: UInt8[np.ndarray, "batch height width 3"]
    changed: Bool[np.ndarray, "batch height width"]
    instructions: tuple[str, ...]
    tasks: tuple[EditTask, ...]


def collate(pairs: Sequence[EditPair]) -> PairBatch:
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


def mirrored(pair: EditPair) -> EditPair:
    """Flip a pair left to right, words included: what lay on the left lies on the right."""
    return replace(
        pair,
        reference=np.ascontiguousarray(pair.reference[:, ::-1]),
        target=np.ascontiguousarray(pair.target[:, ::-1]),
        changed=np.ascontiguousarray(pair.changed[:, ::-1]),
        instruction=_sides_swapped(pair.instruction),
        place=_sides_swapped(pair.place),
    )


_OPPOSITE = {"left": "right", "right": "left", "Left": "Right", "Right": "Left", "左": "右", "右": "左"}


def _sides_swapped(text: str) -> str:
    return re.sub(r"\b(?:[Ll]eft|[Rr]ight)\b|[左右]", lambda found: _OPPOSITE[found.group()], text)
