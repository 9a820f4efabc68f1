"""What a run says while it goes on, and who hears it: the loop itself prints nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Ending", "RunFacts", "RunOutcome", "StepRecord", "Watcher"]

Ending = Literal["finished", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is known before the first step."""

    folder: Path
    steps: int | None
    """In all; ``None`` where the clock decides."""
    first_step: int
    """Steps that are done already; more than 0 after a resume."""
    trained_parameters: int
    processes: int
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step, as the log keeps it."""

    step: int
    """Counted from 1, skipped ones too."""
    epoch: int
    loss: float
    """Mean over all processes and accumulated batches; NaN where it was not finite."""
    gradient_norm: float
    """Before clipping."""
    rate: float
    """Of the first group of weights."""
    share_done: float
    """Of the whole run, 0..1."""
    seconds: float
    """Of training since the run began, stops left out."""
    samples_per_second: float
    """Over the last steps."""
    tokens_per_second: float
    """Image tokens, target and reference."""
    memory_gib: float
    """Largest so far: of the device, or resident where the CPU computes."""
    seconds_left: float | None
    """``None`` until a few steps are done."""
    skipped: str | None = None
    """Why the step changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended."""

    folder: Path
    ending: Ending
    step: int
    loss: float
    """Running mean of the last steps."""
    seconds: float
    exports: tuple[Path, ...] = ()


class Watcher:
    """Hears how a run goes on; this one says nothing."""

    def begin(self, facts: RunFacts) -> None:
        """Hear what is known before the first step."""

    def phase(self, words: str) -> None:
        """Hear what is being prepared (``loading nano``)."""

    def step(self, record: StepRecord) -> None:
        """Hear of a step."""

    def notice(self, words: str) -> None:
        """Hear of something that should be known: a damaged checkpoint, a batch that was skipped."""

    def end(self, outcome: RunOutcome) -> None:
        """Hear how it ended."""
