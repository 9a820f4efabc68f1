"""Guards against bad steps: skip the batch, then back off, then stop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Guard", "Verdict"]

Measure = Literal["go", "skip", "back_off", "stop"]

SKIPS = 3
"""Bad steps in a row that are skipped; the last of them makes the run back off."""
BACK_OFFS = 2
"""How often a run backs off before it stops."""
CALM_STEPS = 100
"""Good steps after which earlier back-offs are forgotten."""
BACK_OFF_SHARE = 0.5
"""What is left of the learning rate each time."""
MEMORY = 0.98
"""Of the running mean and square of the loss, by step."""
LEARNING_STEPS = 20
"""Steps before the loss is judged: at the start it falls fast, and the mean is of few."""
DEVIATIONS = 6.0
"""A spike also lies this many standard deviations above the mean: with small batches the loss itself is uneven, since it
depends on the time that was drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be done about a step."""

    measure: Measure
    fault: str = ""
    """What is wrong with it, as words that follow "because"."""


@dataclass(slots=True)
class Guard:
    """Judges the loss and gradient of each step by those before it.

    Args:
        spike_factor: How many times the recent mean a loss may be.
    """

    spike_factor: float
    mean: float = 0.0
    square: float = 0.0
    seen: int = 0
    """Good steps, of which mean and square are made."""
    bad: int = 0
    """Bad steps in a row."""
    calm: int = 0
    """Good steps in a row."""
    back_offs: int = 0
    rate_share: float = 1.0
    """Share of the scheduled learning rate that is used."""

    def judge(self, *, loss: float, gradient_norm: float) -> Verdict:
        """Say what to do about a step that has not been taken yet.

        Args:
            loss: Of the whole global batch.
            gradient_norm: Of the whole gradient, before clipping.
        """
        fault = self._fault(loss, gradient_norm)
        if fault is None:
            self._good(loss)
            return Verdict(measure="go")
        self.bad, self.calm = self.bad + 1, 0
        if self.bad < SKIPS:
            return Verdict(measure="skip", fault=fault)
        self.bad = 0
        self.back_offs += 1
        if self.back_offs > BACK_OFFS:
            return Verdict(measure="stop", fault=fault)
        self.rate_share *= BACK_OFF_SHARE
        return Verdict(measure="back_off", fault=fault)

    def _fault(self, loss: float, gradient_norm: float) -> str | None:
        if not math.isfinite(loss):
            return "the loss is not finite"
        if not math.isfinite(gradient_norm):
            return "the gradient is not finite"
        deviation = math.sqrt(max(0.0, self.square - self.mean**2))
        limit = max(self.spike_factor * self.mean, self.mean + DEVIATIONS * deviation)
        if self.seen >= LEARNING_STEPS and loss > limit:
            return f"the loss is {loss:.3g}, the recent mean {self.mean:.3g}"
        return None

    def _good(self, loss: float) -> None:
        self.seen += 1
        share = max(1 - MEMORY, 1 / self.seen)
        self.mean += share * (loss - self.mean)
        self.square += share * (loss**2 - self.square)
        self.bad, self.calm = 0, self.calm + 1
        if self.calm >= CALM_STEPS:
            self.back_offs = 0

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a kept state; the factor stays as configured."""
        for name, value in state.items():
            if name != "spike_factor":
                setattr(self, name, value)
