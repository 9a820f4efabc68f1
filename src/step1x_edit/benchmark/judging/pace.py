"""A limit of requests a minute, shared by all who ask."""

from __future__ import annotations

import time
from threading import Lock

__all__ = ["Pace"]


class Pace:
    """Spaces requests evenly.

    Args:
        per_minute: At most so many; open for no limit.
    """

    def __init__(self, per_minute: int | None) -> None:
        self._apart = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = Lock()

    def wait(self) -> None:
        """Wait for this caller's turn."""
        if not self._apart:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._apart
        time.sleep(turn - now)
