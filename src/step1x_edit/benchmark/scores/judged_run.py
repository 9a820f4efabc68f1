"""A judged run: the folder of one editor's pictures under one judge → its cases; whether two may be compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from step1x_edit.errors import DataError
from step1x_edit.schema.judged import CaseId, GenerationRecord, JudgedCase, JudgeSettings

__all__ = ["JudgedRun", "check_comparable", "judged_folders", "read_judged_run"]

SETTINGS, LOG, GENERATION = "settings.json", "log.jsonl", "generation.jsonl"
Record = TypeVar("Record", bound=BaseModel)
MANY = 3
"""How many names a message tells before it stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun:
    """What a judge said of one editor's pictures."""

    method: str
    """Name of the editor's folder below ``results``."""
    folder: Path
    """Where the judge's settings and log lie."""
    judge: JudgeSettings
    cases: tuple[JudgedCase, ...]
    expected: tuple[CaseId, ...]
    """Cases that the editor was given, whether they were judged or not."""


def judged_folders(path: Path) -> tuple[Path, ...]:
    """Return the folders with a judge's log at a path or below it, in the order of their names.

    Args:
        path: A judge's folder, an editor's (``results/METHOD``), or a whole output.

    Raises:
        DataError: There is none.
    """
    found = [path] if (path / LOG).is_file() else sorted(one.parent for one in path.glob(f"**/judged/*/{LOG}"))
    if not found:
        raise DataError(
            given=f"{path}, in which there is no judge's log",
            expected=f"a folder with results/METHOD/judged/JUDGE/{LOG} in it",
            remedy="Judge the run first with `step1x bench judge`.",
        )
    return tuple(found)


def read_judged_run(folder: Path) -> JudgedRun:
    """Read a judge's settings and log.

    Args:
        folder: ``results/METHOD/judged/JUDGE``.

    Raises:
        DataError: A file is absent or a line is no record.
    """
    settings = _record(JudgeSettings, _text(folder / SETTINGS), where=str(folder / SETTINGS))
    cases = _records(JudgedCase, folder / LOG)
    method = folder.parent.parent
    generation = method / GENERATION
    made = _records(GenerationRecord, generation) if generation.is_file() else ()
    expected = {str(one.case): one.case for one in (*cases, *made)}
    return JudgedRun(method=method.name, folder=folder, judge=settings, cases=cases, expected=tuple(expected.values()))


def check_comparable(runs: list[JudgedRun]) -> None:
    """Check that runs were judged alike and over the same pictures and words, so that they may stand side by side.

    Raises:
        DataError: Judges or cases differ; says in what.
    """
    for place, run in enumerate(runs):
        for other in runs[:place]:
            _check_judges(other, run)
            _check_cases(other, run)


def _check_judges(first: JudgedRun, second: JudgedRun) -> None:
    differing = [
        name for name in JudgeSettings.model_fields if getattr(first.judge, name) != getattr(second.judge, name)
    ]
    if differing:
        raise DataError(
            given=f"{first.method} and {second.method}, judged with another {' and '.join(differing)}",
            expected="runs under one judge with the same settings",
            remedy="Judge both alike, or give them one at a time.",
        )


def _check_cases(first: JudgedRun, second: JudgedRun) -> None:
    known = {str(one.case): (one.instruction, one.source_sha256) for one in first.cases}
    other = [
        str(one.case)
        for one in second.cases
        if known.get(str(one.case), (one.instruction, one.source_sha256)) != (one.instruction, one.source_sha256)
    ]
    if other:
        names = ", ".join(other[:MANY]) + (f" and {len(other) - MANY} more" if len(other) > MANY else "")
        raise DataError(
            given=f"{first.method} and {second.method}, whose instruction or source picture differs for {names}",
            expected="runs over the same cases",
            remedy="Run both editors over one case set.",
        )


def _records(kind: type[Record], path: Path) -> tuple[Record, ...]:
    # Only line feeds end a record: a judge's words may hold other characters at which str.splitlines breaks.
    # What follows the last of them was cut off by a kill; its case counts as not judged.
    lines = enumerate(_text(path).split("\n")[:-1], start=1)
    return tuple(_record(kind, line, where=f"{path}, line {number}") for number, line in lines if line.strip())


def _record(kind: type[Record], text: str, *, where: str) -> Record:
    try:
        return kind.model_validate_json(text)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole record"
        raise DataError(
            given=f"{where}, in which {place} is wrong ({first['msg']})",
            expected=f"a record of {kind.__name__}",
            remedy="Judge the run again; a file that was edited by hand is not read.",
        ) from fault


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(
            given=f"{path}, which cannot be read ({fault})",
            expected="a file that `step1x bench` wrote",
            remedy="Judge the run again.",
        ) from fault
