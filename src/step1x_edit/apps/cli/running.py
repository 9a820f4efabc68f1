"""Planned edits → files: skips what is done, shows progress, heeds Ctrl-C, sums up."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from step1x_edit.apps.cli.engine import Engine, already_made, load_editor
from step1x_edit.apps.cli.failures import say
from step1x_edit.apps.cli.jobs import Job, JobPlan
from step1x_edit.apps.cli.progress import EditProgress, edit_progress
from step1x_edit.apps.cli.sheets import FIRST_PAGE, refuse_other_file, write_pages
from step1x_edit.apps.cli.stopping import stoppable
from step1x_edit.errors import NumericalError, RequestError
from step1x_edit.pipeline.intake import read_reference
from step1x_edit.pipeline.outcome import read_parameters, require_writable, save_picture

if TYPE_CHECKING:
    from step1x_edit.pipeline.editor import Editor

__all__ = ["run_plan"]

_LOG = logging.getLogger(__name__)

_Failure = RequestError | NumericalError


def run_plan(plan: JobPlan, engine: Engine, *, overwrite: bool, sheet: bool) -> None:
    """Make what is not there yet, write a contact sheet of everything, and say where it is.

    One bad picture among many does not stop the rest; it is told at the end, with the exit code of the first failure.

    Args:
        plan: The edits.
        engine: What makes them.
        overwrite: Make everything again.
        sheet: Whether several edits get a contact sheet.

    Raises:
        Step1XEditError: The release cannot be loaded, a file is in the way, or the only edit failed.
        typer.Exit: Some of several edits failed.
        KeyboardInterrupt: The user stopped it.
    """
    wants_sheet = sheet and len(plan.jobs) > 1
    if wants_sheet:
        refuse_other_file(plan.folder / FIRST_PAGE, overwrite=overwrite)
    for job in plan.jobs:
        require_writable(job.out)
    todo = [job for job in plan.jobs if overwrite or not _is_done(job, engine)]
    if len(todo) == 1:
        read_reference(todo[0].reference)  # A picture that cannot be read is told before the release is loaded.
    failures = _make(todo, engine, overwrite=overwrite) if todo else {}
    if failures and len(plan.jobs) == 1:
        raise next(iter(failures.values()))
    finished = [job for job in plan.jobs if job.out not in failures]
    for out, error in failures.items():
        say(f"step1x: {out.name} was not made. {error}")
    pages: tuple[Path, ...] = ()
    if wants_sheet and finished:
        pages = write_pages(
            [(job.reference, job.out, job.request.instruction) for job in finished], plan.folder, overwrite=overwrite
        )
    _sum_up(plan, finished, made=len(todo) - len(failures), failed=len(failures), pages=pages)
    if failures:
        raise typer.Exit(next(iter(failures.values())).exit_code)


def _is_done(job: Job, engine: Engine) -> bool:
    """Whether the result is there already.

    Raises:
        RequestError: A file of other parameters, or another file altogether, has its name.
    """
    if not job.out.exists():
        return False
    with suppress(RequestError):  # A file without parameters is in the way like one with others.
        digest = hashlib.sha256(job.reference.read_bytes()).hexdigest()
        if already_made(read_parameters(job.out), job.request, engine, digest):
            return True
    raise RequestError(
        given=f"the output {job.out}, which exists already and was not made by this command",
        expected="a name that is free",
        remedy="Choose another place with --out, or overwrite it with --force.",
    )


def _make(jobs: Sequence[Job], engine: Engine, *, overwrite: bool) -> dict[Path, _Failure]:
    failures: dict[Path, _Failure] = {}
    with edit_progress(len(jobs)) as progress:
        progress.loading(engine.release)
        editor = load_editor(engine)
        for number, job in enumerate(jobs):
            try:
                _make_one(editor, job, number, progress, overwrite=overwrite)
            except (RequestError, NumericalError) as error:
                failures[job.out] = error
    return failures


def _make_one(editor: Editor, job: Job, number: int, progress: EditProgress, *, overwrite: bool) -> None:
    on_step = progress.picture(number, job.reference.name)
    _LOG.info("Editing %s into %s.", job.reference, job.out)
    with stoppable() as should_stop:
        result = editor.edit(job.request, on_step=on_step, should_stop=should_stop)
        save_picture(result.image, job.out, result.parameters(), overwrite=overwrite)


def _sum_up(plan: JobPlan, finished: Sequence[Job], *, made: int, failed: int, pages: Sequence[Path]) -> None:
    if len(plan.jobs) == 1:
        typer.echo(f"{'Edited' if made else 'Already there'}: {finished[0].out}")
        return
    counts = [f"{made} edited", f"{len(finished) - made} already there", f"{failed} failed"]
    words = ", ".join(count for count in counts if not count.startswith("0 ")) or "nothing edited"
    seen = f" (contact sheet: {', '.join(str(page) for page in pages)})" if pages else ""
    typer.echo(f"{words}: {plan.folder}{seen}")
