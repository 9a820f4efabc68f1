"""Edits cases one after the other or several at once; what is finished is kept, and a stopped run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from PIL import Image

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.cases.case_set import NumberedCase
from step1x_edit.benchmark.generation.case_editor import CaseEditor, NoPicture
from step1x_edit.benchmark.generation.run_folder import GenerationSettings, RunFolder
from step1x_edit.schema.judged import GenerationRecord

__all__ = ["generate"]


def generate(
    cases: Sequence[NumberedCase], editor: CaseEditor, folder: RunFolder, settings: GenerationSettings
) -> Iterator[GenerationRecord]:
    """Edit cases and yield how each went: first those that were finished before, then the others as they come.

    A case is finished when its picture is there or the editor refused it; one that failed is tried again.

    Args:
        cases: What to edit, each with its place in the whole set.
        editor: Who edits.
        folder: Where pictures and records go.
        settings: What decides the run; case number ``i`` gets the seed ``settings.seed + i``.

    Raises:
        DataError: The folder holds a run of other settings, or a source picture cannot be read.
        RequestError: Another process writes there.
        ExpertError: A service cannot be used at all.
    """
    with folder.claimed(settings):
        records = folder.records()
        waiting = []
        for number, case in cases:
            kept = records.get(case.id)
            if kept is not None and _finished(kept, folder):
                yield kept
            else:
                waiting.append((number, case))

        def one(numbered: NumberedCase) -> GenerationRecord:
            number, case = numbered
            return _edited(case, editor, folder, seed=settings.seed + number)

        yield from _in_order(waiting, one) if editor.at_once == 1 else _at_once(waiting, one, editor.at_once)


def _finished(record: GenerationRecord, folder: RunFolder) -> bool:
    return record.outcome == "refused" or (record.outcome == "edited" and folder.is_whole(record.case))


def _in_order(
    cases: Sequence[NumberedCase], one: Callable[[NumberedCase], GenerationRecord]
) -> Iterator[GenerationRecord]:
    for case in cases:
        yield one(case)


def _at_once(
    cases: Sequence[NumberedCase], one: Callable[[NumberedCase], GenerationRecord], workers: int
) -> Iterator[GenerationRecord]:
    """Edit several cases at the same time; what is under way is finished when the reader stops."""
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        for future in as_completed([pool.submit(one, case) for case in cases]):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _edited(case: JudgeableCase, editor: CaseEditor, folder: RunFolder, *, seed: int) -> GenerationRecord:
    source = case.open_source()
    start = time.monotonic()
    answer = editor.edit(case, source, seed=seed)
    seconds = round(time.monotonic() - start, 3)
    known_seed = seed if editor.seeded else None
    if isinstance(answer, NoPicture):
        record = GenerationRecord(
            case=case.id, outcome=answer.outcome, reason=answer.reason, seconds=seconds, seed=known_seed
        )
        folder.keep(record, source=source, edited=None)
        return record
    record = GenerationRecord(case=case.id, outcome="edited", seconds=seconds, seed=known_seed)
    folder.keep(record, source=source, edited=_rgb(answer))
    return record


def _rgb(picture: Image.Image) -> Image.Image:
    return picture if picture.mode == "RGB" else picture.convert("RGB")
