"""How far a run is: by steps, by epochs or by the clock."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from step1x_edit.errors import RequestError
from step1x_edit.training.config import RunConfig

__all__ = ["Clock", "Length", "Pace", "run_length"]

RECENT_STEPS = 50
"""Steps that speed and time left are reckoned from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """Exactly one of the two is given."""

    steps: int | None = None
    minutes: float | None = None

    def share(self, *, steps: int, seconds: float) -> float:
        """Return which share of the run is done, 0..1 or a little more.

        Args:
            steps: Steps that are done.
            seconds: Seconds of training, stops left out.
        """
        return steps / self.steps if self.steps is not None else seconds / (60 * (self.minutes or 1.0))


def run_length(run: RunConfig, *, batches_in: Callable[[int], int]) -> Length:
    """Return the length that a config asks for.

    Args:
        run: Its section.
        batches_in: Number of epochs → global batches in them, before accumulation.

    Raises:
        RequestError: Not exactly one of steps, epochs and minutes is given.
    """
    given = [name for name in ("steps", "epochs", "minutes") if getattr(run, name) is not None]
    if len(given) != 1:
        raise RequestError(
            given=f"a run with {' and '.join(given) or 'none'} of steps, epochs and minutes",
            expected="exactly one of the three in [run]",
            remedy="Say how long the run shall be, in one way.",
        )
    if run.minutes is not None:
        return Length(minutes=run.minutes)
    if run.steps is not None:
        return Length(steps=run.steps)
    return Length(steps=max(1, math.ceil(batches_in(run.epochs or 1) / run.accumulate)))


@dataclass(slots=True)
class Clock:
    """Seconds of training: those of earlier processes of the run and of this one."""

    before: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Return the seconds so far."""
        return self.before + time.monotonic() - self.started

    def set(self, seconds: float) -> None:
        """Go on from a number of seconds."""
        self.before, self.started = seconds, time.monotonic()


@dataclass(slots=True)
class Pace:
    """Speed over the last steps."""

    marks: deque[tuple[float, int, int, float]] = field(default_factory=lambda: deque(maxlen=RECENT_STEPS + 1))
    """Seconds, samples and tokens so far, and the share of the run that was done."""

    def mark(self, *, seconds: float, samples: int, tokens: int, share: float) -> None:
        """Take note of a step."""
        _, samples_before, tokens_before, _ = self.marks[-1] if self.marks else (0.0, 0, 0, 0.0)
        self.marks.append((seconds, samples_before + samples, tokens_before + tokens, share))

    def samples_per_second(self) -> float:
        """Return samples a second; 0 before the second step."""
        return self._per_second(1)

    def tokens_per_second(self) -> float:
        """Return image tokens a second; 0 before the second step."""
        return self._per_second(2)

    def seconds_left(self) -> float | None:
        """Return the seconds until the end at this speed, or ``None`` while that is unknown."""
        share = self.marks[-1][3] if self.marks else 0.0
        speed = self._per_second(3)
        return max(0.0, 1 - share) / speed if speed > 0 else None

    def _per_second(self, which: int) -> float:
        if len(self.marks) < 2:
            return 0.0
        first, last = self.marks[0], self.marks[-1]
        return (last[which] - first[which]) / max(last[0] - first[0], 1e-9)
