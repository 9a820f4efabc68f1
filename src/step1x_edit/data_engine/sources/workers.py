"""Processes that decode. One file that breaks its process is refused; the others go on."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from step1x_edit.data_engine.sources.digest import Entry, Limits, Naming, cached_matting, digest
from step1x_edit.data_engine.sources.offers import Known
from step1x_edit.data_engine.sources.shelf import Refused, Shelf
from step1x_edit.errors import ExpertError, RequestError
from step1x_edit.experts.expert_set import ExpertSet

__all__ = ["ExpertPass", "Task", "work_through"]

IN_FLIGHT = 4
"""Files handed out per worker at a time, so that memory stays flat however fast the source is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertPass:
    """How mattes and names are made; everything must be importable by name, since it travels to other processes."""

    experts: Callable[[], ExpertSet]
    """Makes the expert set inside a worker."""
    cache: Path
    """Folder where mattes are kept for later passes."""
    version: str
    """Name of the models, so that another model's pictures are not taken for these."""
    naming: Naming | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A file to be decoded and put on the shelf."""

    key: str
    data: bytes
    known: Known


def work_through(
    tasks: Iterable[Task], shelf: Shelf, *, workers: int, limits: Limits, expert_pass: ExpertPass | None
) -> None:
    """Decode all tasks onto the shelf.

    Raises:
        OSError: The shelf cannot be written.
        MissingExtra: A part of the expert pass is absent.
    """
    crew = partial(_crew, shelf.work.parent, limits, expert_pass)
    waiting = iter(tasks)
    while True:
        suspects = _until_broken(waiting, crew(workers), limit=workers * IN_FLIGHT)
        if not suspects:
            return
        for task in suspects:
            if task.key not in shelf and _until_broken(iter([task]), crew(1), limit=1):
                reason = "Reading it ended the process that did."
                shelf.refuse(task.key, Refused(stage="reading", reason=reason))


def _until_broken(tasks: Iterator[Task], crew: ProcessPoolExecutor, *, limit: int) -> list[Task]:
    """Hand out tasks; return those under way when a process broke, or none at the end."""
    flying: dict[Future[None], Task] = {}
    with crew:
        try:
            for task in tasks:
                flying[crew.submit(_digest_onto_shelf, task)] = task
                if len(flying) >= limit:
                    _settle(flying)
            while flying:
                _settle(flying)
        except BrokenProcessPool:
            return [*flying.values()]
        except BaseException:
            crew.shutdown(wait=False, cancel_futures=True)
            raise
    return []


def _settle(flying: dict[Future[None], Task]) -> None:
    done, _ = wait(flying, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        del flying[future]


def _crew(folder: Path, limits: Limits, expert_pass: ExpertPass | None, workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(folder, limits, expert_pass),
    )


_work: list[Callable[[Task], None]] = []
"""What this process does with a task, set when it begins."""


def _begin(folder: Path, limits: Limits, expert_pass: ExpertPass | None) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    matting = naming = None
    if expert_pass is not None:
        experts = expert_pass.experts()
        matting = cached_matting(experts, expert_pass.cache, limits)
        naming = partial(expert_pass.naming, experts) if expert_pass.naming else None
    work = partial(digest, limits=limits, matting=matting, naming=naming)
    _work[:] = [partial(_finish, Shelf(folder), work)]


def _end_with_parent() -> None:
    """End this process when the one that started it is killed; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _digest_onto_shelf(task: Task) -> None:
    _work[0](task)


def _finish(shelf: Shelf, work: Callable[[bytes, Known], tuple[Entry, ...]], task: Task) -> None:
    try:
        shelf.put(task.key, work(task.data, task.known))
    except RequestError as error:
        shelf.refuse(task.key, Refused(stage="reading", reason=f"Given {error.given}; expected {error.expected}."))
    except ExpertError as error:
        shelf.refuse(task.key, Refused(stage="matte", reason=str(error)))
    except MemoryError:
        shelf.refuse(task.key, Refused(stage="reading", reason="It needs more memory than there is."))
