"""One writer a store: a lock that ends with its process, however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from step1x_edit.errors import RequestError

__all__ = ["LOCK", "locked"]

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other writers out of a store while the block runs; the folder is made if it is not there.

    Raises:
        RequestError: Somebody else is writing there, or the folder cannot be made or written to.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise RequestError(
            given=f"{folder}, where another process is writing",
            expected="one writer a folder",
            remedy="Wait for it, stop it, or choose another folder.",
        ) from None
    except OSError as error:
        raise RequestError(
            given=f"{folder}, which cannot be written to ({error.strerror})",
            expected="a folder that can",
            remedy="Choose another folder.",
        ) from error
    try:
        yield
    finally:
        lock.release()
