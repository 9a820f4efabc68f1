"""A progress bar with the time left, on stderr; nothing where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["EditProgress", "counting_progress", "edit_progress"]


class EditProgress:
    """Shows which picture of how many is at which step."""

    def __init__(self, bar: Progress, pictures: int) -> None:
        self._bar = bar
        self._pictures = pictures
        self._task = bar.add_task("", total=None)

    def loading(self, what: str) -> None:
        """Say what is being loaded; its end is not known."""
        self._bar.update(self._task, description=f"loading {escape(what)}", total=None)

    def picture(self, number: int, name: str) -> Callable[[int, int], None]:
        """Begin a picture, counted from 0, and return what its loop calls with (steps done, steps)."""

        def on_step(done: int, steps: int) -> None:
            self._bar.update(self._task, total=self._pictures, completed=number + done / steps)

        self._bar.update(
            self._task,
            description=f"{number + 1}/{self._pictures} {escape(name)}",
            total=self._pictures,
            completed=number,
        )
        return on_step


@contextmanager
def edit_progress(pictures: int) -> Iterator[EditProgress]:
    """Show a bar while the block runs and take it away afterwards.

    Args:
        pictures: How many will be made.
    """
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield EditProgress(bar, pictures)


@contextmanager
def counting_progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar that is told how many are done; give the function that tells it.

    Args:
        what: What is counted, in the plural.
        total: How many there will be, if that is known.
    """
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.completed} {task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(what), total=total)
        yield lambda done: bar.update(task, completed=done)
