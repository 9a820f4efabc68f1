"""Batches of cached examples, dealt in the sampler's order: what the loop of a run draws from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from step1x_edit.training.batching import assemble_batch
from step1x_edit.training.cache.examples import CachedExamples
from step1x_edit.training.examples import Batch
from step1x_edit.training.sampler import BatchSampler

__all__ = ["CachedBatches", "CachedDeal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedDeal:
    """One process's part of a global batch."""

    batch: Batch
    names: Sequence[str]
    """Where each example comes from, in words."""
    epoch: int
    """Passes over the data that are finished."""


class CachedBatches:
    """An endless row of batches that can be left and taken up again.

    Args:
        examples: The examples of the run.
        sampler: Their order, made from ``examples.table``.
    """

    def __init__(self, examples: CachedExamples, sampler: BatchSampler) -> None:
        self._examples = examples
        self._sampler = sampler

    def batches_in(self, epochs: int) -> int:
        """Return how many global batches so many passes over the data give."""
        return self._sampler.epoch_steps(epochs)

    def deal(self) -> CachedDeal:
        """Read this process's part of the next global batch."""
        drawn = next(self._sampler)
        return CachedDeal(
            batch=assemble_batch([self._examples[number] for number in drawn.examples], dropped=drawn.dropped),
            names=tuple(self._examples.names[number] for number in drawn.examples),
            epoch=self._sampler.epoch,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the row, the same in every process."""
        return self._sampler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the row up at a place.

        Raises:
            DataError: It is a place in another row.
        """
        self._sampler.load_state_dict(state)
