"""One worker process: attempts come in by number, what they gave goes out. Knows nothing of recipes or stores."""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

__all__ = ["Failed", "Maker", "Ready", "work"]

Outcome = TypeVar("Outcome", covariant=True)
GIB = 1 << 30

Maker = Callable[[int], Outcome]
"""Makes the attempt of a number."""


class Ready:
    """Said once, when the maker stands."""


class Failed(Generic[Outcome]):
    """An error that no other attempt would escape.

    Args:
        error: What was raised.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error


def work(orders: Connection, outcomes: Connection, hire: Callable[[], Maker[Outcome]], *, memory_gib: float) -> None:
    """Make attempts until the other side is gone.

    Args:
        orders: Numbers of attempts come in here.
        outcomes: :class:`Ready`, outcomes and :class:`Failed` go out here.
        hire: Gives the maker; called once, in this process.
        memory_gib: More than this ends an attempt with a MemoryError.
    """
    # Ctrl-C reaches every process of a terminal; the one who hired us decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory(memory_gib)
    try:
        make = hire()
        outcomes.send(Ready())
        while True:
            outcomes.send(make(orders.recv()))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        outcomes.send(Failed(error))


def _limit_memory(gib: float) -> None:
    try:
        import resource
    except ImportError:
        # Windows has no such limit; the attempt's limit of time still holds there.
        return
    # Data rather than address space: memory-mapped pools and models are not counted.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (int(gib * GIB), hard))
