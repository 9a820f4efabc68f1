"""What a user sees of a run: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from step1x_edit.apps.cli.failures import say
from step1x_edit.training.run.watching import RunFacts, RunOutcome, StepRecord, Watcher

__all__ = ["BarWatcher", "LineWatcher", "outcome_words", "watching"]

LINE_SECONDS = 30.0
"""Time between two lines of a log."""
_WHOLE = 1000


class BarWatcher(Watcher):
    """Shows how a run goes on, in one line that changes."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None)
        self._steps: int | None = None

    def begin(self, facts: RunFacts) -> None:
        """Start the bar where an earlier run stopped."""
        self._steps = facts.steps
        say(_opening(facts))
        self._bar.update(self._task, total=_WHOLE, completed=0, description="first step")

    def phase(self, words: str) -> None:
        """Say what is being prepared."""
        self._bar.update(self._task, description=escape(words), total=None)

    def step(self, record: StepRecord) -> None:
        """Show a step."""
        self._bar.update(
            self._task, total=_WHOLE, completed=_WHOLE * record.share_done, description=_step_words(record, self._steps)
        )

    def notice(self, words: str) -> None:
        """Write a line that stays."""
        self._bar.console.print(words, highlight=False, markup=False)


class LineWatcher(Watcher):
    """Writes a line now and then, for logs and quiet terminals."""

    def __init__(self) -> None:
        self._steps: int | None = None
        self._last = -LINE_SECONDS
        self._phase = ""

    def begin(self, facts: RunFacts) -> None:
        """Say what begins."""
        self._steps = facts.steps
        say(_opening(facts))

    def phase(self, words: str) -> None:
        """Say what is being prepared, once for each kind of thing."""
        kind = words.rpartition(" pairs ")[0] or words
        if kind != self._phase:
            say(words)
        self._phase = kind

    def step(self, record: StepRecord) -> None:
        """Write the step, if the last line is old enough."""
        now = time.monotonic()
        if now - self._last >= LINE_SECONDS or record.share_done >= 1:
            self._last = now
            say(_step_words(record, self._steps))

    def notice(self, words: str) -> None:
        """Write a line."""
        say(words)


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watcher]:
    """Give the watcher that fits the place: a bar on a terminal, lines elsewhere or when quiet."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield LineWatcher()
        return
    columns = (SpinnerColumn(), BarColumn(bar_width=20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        yield BarWatcher(bar)


def outcome_words(outcome: RunOutcome, command: str) -> str:
    """Say how a run ended and what to do next."""
    if outcome.ending == "stopped":
        return f"Stopped after step {outcome.step}; a checkpoint is kept in {outcome.folder}. Go on with: {command}"
    files = ", ".join(str(path) for path in outcome.exports)
    return f"{outcome.step} steps in {_duration(outcome.seconds)}, loss {outcome.loss:.4f}. Written: {files}"


def _opening(facts: RunFacts) -> str:
    steps = f"{facts.steps} steps" if facts.steps else "by the clock"
    begun = f", going on after step {facts.first_step}" if facts.first_step else ""
    where = facts.device + (f" x {facts.processes}" if facts.processes > 1 else "")
    return f"Training {facts.trained_parameters:,} values on {where}, {steps}{begun}: {facts.folder}"


def _step_words(record: StepRecord, steps: int | None) -> str:
    number = f"step {record.step}" + (f"/{steps}" if steps else "")
    left = "" if record.seconds_left is None else f"  left {_duration(record.seconds_left)}"
    speed = f"{record.samples_per_second:.2f} samples/s  {record.tokens_per_second:.0f} tokens/s"
    skipped = "  skipped" if record.skipped else ""
    return f"{number}  loss {record.loss:.4f}  {speed}  {record.memory_gib:.1f} GiB{left}{skipped}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
