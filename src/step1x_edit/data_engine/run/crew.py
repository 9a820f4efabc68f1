"""A crew of worker processes that outlives the death of any of them: numbers in, outcomes out, none lost or doubled."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Literal, TypeVar

from step1x_edit.data_engine.run.worker import Failed, Maker, Ready, work
from step1x_edit.errors import DataError

__all__ = ["Crew", "Limits", "Lost"]

Outcome = TypeVar("Outcome")
IN_HAND = 3
"""Attempts a worker has: the one it makes, and the next ones, so that it never waits."""
ROOM = 1 << 20
"""Bytes an outcome's pipe shall hold, the most Linux gives everybody: a worker goes on while its outcome waits there."""
CHANCES = 2
"""An attempt whose process died is made once more: the process may have been killed for another reason."""
START_SECONDS = 300.0
PAUSE_SECONDS = 0.25
SURROUNDINGS = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}
"""Environment of a worker: one thread each, since more would fight over the cores; and glibc keeps the memory of a
picture for the next one, where it would give it back and fetch it again page by page (a quarter of an attempt's time)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an attempt may take."""

    seconds: float = 120.0
    memory_gib: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An attempt that ended its process, or was ended with it."""

    why: Literal["time", "death"]
    detail: str


@dataclass(slots=True, kw_only=True)
class _Member:
    process: BaseProcess
    orders: Connection
    outcomes: Connection
    attempts: deque[int] = field(default_factory=deque)
    """In hand; the first is being made."""
    since: float
    """When that one, or the process, was begun."""
    ready: bool = False


class Crew(Generic[Outcome]):
    """Runs attempts in spawned processes. Use as a context; leaving it ends the processes.

    Args:
        hire: Called in each process, gives what makes an attempt; must be picklable.
        workers: Number of processes.
        limits: What an attempt may take.
    """

    def __init__(self, hire: Callable[[], Maker[Outcome]], *, workers: int, limits: Limits) -> None:
        self._hire = hire
        self._workers = workers
        self._limits = limits
        self._members: list[_Member] = []

    def __enter__(self) -> Crew[Outcome]:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            _end(member)
        self._members.clear()

    def run(self, attempts: Iterable[int]) -> Iterator[tuple[int, Outcome | Lost]]:
        """Yield what each attempt gave, as they finish.

        Raises:
            Exception: What a maker raised; no other attempt would have escaped it.
            DataError: Workers die before they make anything.
        """
        waiting, deaths = _Waiting(attempts), dict[int, int]()
        while True:
            self._staff(waiting)
            if not any(member.attempts for member in self._members):
                return
            for member in self._heard():
                yield from self._results(member)
            for member in [one for one in self._members if not one.process.is_alive() or self._overdue(one)]:
                # What it said before it fell silent still counts.
                yield from self._results(member)
                yield from self._dismissed(member, waiting, deaths)

    def _staff(self, waiting: _Waiting) -> None:
        """Hire up to the full number while there is work, and hand out attempts."""
        while len(self._members) < self._workers and waiting:
            self._members.append(self._hired())
        # Round by round, so that the last attempts are spread over all.
        for _ in range(IN_HAND):
            for member in self._members:
                if len(member.attempts) < IN_HAND and waiting:
                    _hand_over(member, waiting.next())

    def _hired(self) -> _Member:
        context = multiprocessing.get_context("spawn")
        asked, orders = context.Pipe(duplex=False)
        outcomes, made = context.Pipe(duplex=False)
        _widen(made)
        options = {"memory_gib": self._limits.memory_gib}
        process = context.Process(target=work, args=(asked, made, self._hire), kwargs=options, daemon=True)
        with _surroundings():
            process.start()
        asked.close()
        made.close()
        return _Member(process=process, orders=orders, outcomes=outcomes, since=time.monotonic())

    def _heard(self) -> list[_Member]:
        members = {member.outcomes: member for member in self._members}
        ready = wait(list(members), timeout=PAUSE_SECONDS)
        return [members[pipe] for pipe in ready if isinstance(pipe, Connection)]

    def _results(self, member: _Member) -> Iterator[tuple[int, Outcome | Lost]]:
        for said in _said(member.outcomes):
            member.since = time.monotonic()
            if isinstance(said, Failed):
                raise said.error
            if isinstance(said, Ready):
                member.ready = True
            else:
                yield member.attempts.popleft(), said

    def _overdue(self, member: _Member) -> bool:
        limit = self._limits.seconds if member.ready else START_SECONDS
        return bool(member.attempts) and time.monotonic() - member.since > limit

    def _dismissed(
        self, member: _Member, waiting: _Waiting, deaths: dict[int, int]
    ) -> Iterator[tuple[int, Outcome | Lost]]:
        """Take leave of a member that died or overran; its first attempt is to blame, the others go back."""
        alive = member.process.is_alive()
        _end(member)
        self._members.remove(member)
        if not member.ready:
            raise DataError(
                given=f"a worker that ended before its first attempt ({_ending(member.process)})",
                expected="a process that starts",
                remedy="Use fewer workers, or look whether memory is short.",
            )
        while len(member.attempts) > 1:
            waiting.back(member.attempts.pop())
        for attempt in member.attempts:
            deaths[attempt] = deaths.get(attempt, 0) + 1
            if alive:
                yield attempt, Lost(why="time", detail=f"it took more than {self._limits.seconds:g} seconds")
            elif deaths[attempt] < CHANCES:
                waiting.back(attempt)
            else:
                yield attempt, Lost(why="death", detail=_ending(member.process))


class _Waiting:
    """Attempts nobody has yet; those that come back go first."""

    def __init__(self, attempts: Iterable[int]) -> None:
        self._rest = iter(attempts)
        self._front: deque[int] = deque()

    def __bool__(self) -> bool:
        if not self._front:
            self._front.extend(number for number in [next(self._rest, None)] if number is not None)
        return bool(self._front)

    def next(self) -> int:
        return self._front.popleft()

    def back(self, attempt: int) -> None:
        self._front.appendleft(attempt)


def _hand_over(member: _Member, attempt: int) -> None:
    if not member.attempts and member.ready:
        member.since = time.monotonic()
    member.attempts.append(attempt)
    try:
        member.orders.send(attempt)
    except BrokenPipeError:
        # Found dead in the same round, and the attempt goes back.
        return


def _said(outcomes: Connection) -> Iterator[Any]:
    try:
        while outcomes.poll():
            yield outcomes.recv()
    except (EOFError, OSError):
        return


def _widen(pipe: Connection) -> None:
    """Let a pipe hold more, where the system can; elsewhere a worker waits until its outcome is taken."""
    with suppress(ImportError, OSError):
        from fcntl import F_SETPIPE_SZ, fcntl

        fcntl(pipe.fileno(), F_SETPIPE_SZ, ROOM)


def _end(member: _Member) -> None:
    member.process.kill()
    member.process.join()
    member.orders.close()
    member.outcomes.close()


def _ending(process: BaseProcess) -> str:
    code = process.exitcode
    return f"ended by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"


@contextmanager
def _surroundings() -> Iterator[None]:
    """Let processes started in the block find the environment of a worker."""
    before = {name: os.environ.get(name) for name in SURROUNDINGS}
    os.environ.update(SURROUNDINGS)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
