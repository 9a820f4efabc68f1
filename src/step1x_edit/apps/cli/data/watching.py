"""The progress of a build on stderr: attempts, rate, share kept, time left; nothing where stderr is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from step1x_edit.data_engine.run import Outcome, Watcher
from step1x_edit.schema.triplet import Rejection

__all__ = ["BuildProgress", "watching"]


class BuildProgress(Watcher):
    """Shows how a build goes on."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None)
        self._made = self._kept = 0
        self._began = time.monotonic()

    def begin(self, done: int, attempts: int) -> None:
        """Start the bar where an earlier run stopped."""
        self._bar.update(self._task, total=attempts, completed=done)

    def outcome(self, outcome: Outcome) -> None:
        """Count one attempt; a time-out is counted when it is made again."""
        if isinstance(outcome, Rejection) and outcome.retry:
            return
        self._made += 1
        self._kept += not isinstance(outcome, Rejection)
        rate = self._made / max(time.monotonic() - self._began, 1e-9)
        self._bar.update(
            self._task, advance=1, description=f"{rate:.1f} attempts/s, {self._kept / self._made:.0%} kept"
        )


@contextmanager
def watching() -> Iterator[BuildProgress]:
    """Show a bar while the block runs and take it away afterwards."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.completed}/{task.total}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield BuildProgress(bar)
