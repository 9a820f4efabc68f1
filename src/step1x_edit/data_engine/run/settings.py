"""Settings of a run: everything that decides what an attempt gives, and what each attempt is about."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Split

__all__ = ["RunSettings", "TaskShare", "shard_attempts"]

GOLDEN = 0.6180339887498949
"""Multiples of the golden ratio spread evenly over 0..1 however many are taken (Weyl's sequence)."""
WORDS = 1
SHARDS, LEAST, MOST = 100, 4, 128
"""A run has about this many shards, so that a killed one loses a hundredth; a shard has at least and at most this many
attempts: its two files take about ten milliseconds, and are kept in memory until they are written."""


class TaskShare(BaseModel):
    """One edit task and how often it comes up, relative to the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: EditTask
    weight: float = Field(default=1.0, gt=0)


class RunSettings(BaseModel):
    """Two runs with equal settings give equal records, whatever the number of workers."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    tasks: tuple[TaskShare, ...] = Field(min_length=1)
    size: int = Field(ge=64, le=2048, multiple_of=16)
    """Side of the square pictures, in pixels."""
    seed: int = Field(ge=0)
    split: Split = "train"
    permissive_only: bool = False
    photographic: bool = True
    """Whether scenes are to look like photographs. If not, glossy cut-outs stand anywhere, as in the suite ``mini-ci``."""
    seen_objects: bool = False
    """Whether scenes are lessons (``stages/lesson.py``), so that a wish has one answer. Held-out lessons show the objects
    of training on photographs that it never sees."""
    sources: str = ""
    """Fingerprint of the pool."""
    experts: tuple[str, ...] = ()
    """The parts at hand and their versions."""
    near_duplicates: bool = Field(default=True, exclude_if=bool)
    """Whether a triplet stays that looks like an earlier one of the same pictures and wish; told only where not."""
    held_out: str = Field(default="", exclude_if=operator.not_)
    """Fingerprint of the hashes of pictures that must not come in; told only where there are any."""

    def task(self, attempt: int) -> EditTask:
        """Return what an attempt is about: tasks take turns by their weights."""
        weights = {one.task: one.weight for one in self.tasks}
        place = (attempt + 1) * GOLDEN % 1.0 * sum(weights.values())
        return list(weights)[int(np.searchsorted(np.cumsum(list(weights.values())), place, side="right"))]

    def pictures_of(self, attempt: int) -> np.random.Generator:
        """Return what makes an attempt's choices of pictures."""
        return np.random.default_rng([self.seed, attempt])

    def words_of(self, attempt: int) -> np.random.Generator:
        """Return what makes its choices of words: a row of its own, so that new wordings leave the pictures alone."""
        return np.random.default_rng([self.seed, attempt, WORDS])

    def told(self) -> dict[str, Any]:
        """Return the settings as they stand in a manifest."""
        return self.model_dump(mode="json")


def shard_attempts(attempts: int) -> int:
    """Return how many attempts a shard of a new store holds."""
    return min(MOST, max(LEAST, -(-attempts // SHARDS)))
