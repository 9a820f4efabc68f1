"""Ctrl-C while a picture is made: the first leaves after the current step, a second one at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stoppable"]


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Turn the first interrupt inside the block into a flag, and give a function that reads it.

    A flag rather than an exception: the loop leaves between two steps, with nothing half done. Outside the block an
    interrupt acts at once, as everywhere in Python.

    Raises:
        KeyboardInterrupt: At the second interrupt, or at the end of a block that did not heed the flag.
    """
    asked = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
