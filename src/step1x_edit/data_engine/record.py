"""What a pair says about itself: where its objects are, and which stage was done by which part."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from step1x_edit import __version__
from step1x_edit.data_engine.scene import Placed
from step1x_edit.experts.expert_set import ExpertName, ExpertSet
from step1x_edit.schema.triplet import Box, StageRecord

__all__ = ["asked", "boxes_of", "done_here"]

SEEN = 0.5
"""Matte from which a pixel counts for a box."""


def boxes_of(objects: Iterable[Placed], size: int) -> tuple[Box, ...]:
    """Return the labelled boxes of objects that can be seen in a picture of a side, in fractions."""
    return tuple(box for one in objects if (box := _box_of(one, size)) is not None)


def done_here(stage: str, part: str, parameters: str = "") -> StageRecord:
    """Record a stage that this package did itself.

    Args:
        stage: What was done: "compose", "recolour" ...
        part: Module that did it.
        parameters: Settings as ``name=value`` words.
    """
    return StageRecord(stage=stage, part=part, version=__version__, parameters=parameters)


def asked(experts: ExpertSet, expert: ExpertName, parameters: str = "") -> StageRecord:
    """Record a stage that an expert did."""
    part = experts.part(expert)
    return StageRecord(stage=expert, part=part.part, version=part.version, parameters=parameters)


def _box_of(one: Placed, size: int) -> Box | None:
    seen = one.alpha[..., 0] > SEEN
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return None
    left, top = one.left + int(columns[0]), one.top + int(rows[0])
    right, bottom = one.left + int(columns[-1]) + 1, one.top + int(rows[-1]) + 1
    limits = [round(min(1.0, max(0.0, at / size)), 4) for at in (left, top, right, bottom)]
    return Box(label=one.what.name, left=limits[0], top=limits[1], right=limits[2], bottom=limits[3])
