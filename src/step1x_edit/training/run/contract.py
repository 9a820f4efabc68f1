"""What a run is made of: the parts that the loop is handed, put together by ``assembly.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import nn

from step1x_edit.training.draws import StepSeed
from step1x_edit.training.examples import Batch
from step1x_edit.training.methods.ema import RunningMean
from step1x_edit.training.methods.optimizers import Optimizers
from step1x_edit.training.step import StepLoss

__all__ = ["Batches", "Deal", "Trainee"]


@runtime_checkable
class Deal(Protocol):
    """One process's part of a global batch."""

    @property
    def batch(self) -> Batch:
        """The examples, the same number in every process."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Of the examples, for people."""
        ...

    @property
    def epoch(self) -> int:
        """Passes over the data that are finished."""
        ...


@runtime_checkable
class Batches(Protocol):
    """An endless row of batches that can be left and taken up again."""

    def batches_in(self, epochs: int) -> int:
        """Return how many global batches so many passes over the data give."""
        ...

    def deal(self) -> Deal:
        """Return this process's part of the next global batch."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the row, the same in every process."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the row up at a place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainee:
    """A network that is about to be trained, with all that its training needs."""

    network: nn.Module
    """Weights that learn require gradients, all others do not."""
    objective: Callable[[nn.Module, Batch, StepSeed], StepLoss]
    """Called with the network as the processes share it."""
    optimizers: Optimizers
    rate_share: Callable[[int, float], float]
    """Steps that are done, and share of the run that is done → share of the learning rates."""
    batches: Batches
    mean: RunningMean | None
    export: Callable[[Path], Sequence[Path]]
    """Writes the adapters or weights that are in place into a folder."""
