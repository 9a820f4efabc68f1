"""One's own cases: a folder with pictures and a ``cases.jsonl`` that says what is wanted of each.

A line holds ``task`` (a GEdit-Bench key or the paper's name), ``language`` (``en`` or ``cn``), ``instruction``, ``image`` (a
path from the folder), and may hold ``key`` (by default the picture's name without its ending) and ``intersection``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.cases.case_set import Cases
from step1x_edit.benchmark.cases.naming import case_id
from step1x_edit.errors import DataError, RequestError
from step1x_edit.pipeline.intake import read_reference

__all__ = ["CASES_FILE", "open_folder"]

CASES_FILE = "cases.jsonl"


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    language: str
    instruction: str = Field(min_length=1)
    image: str
    key: str | None = None
    intersection: bool = True


def open_folder(place: Path) -> Cases:
    """Open a folder of one's own cases.

    Args:
        place: The folder, or its JSONL file whatever that is called. Pictures are PNG, JPEG or WebP.

    Raises:
        DataError: A line is wrong, two lines are one case, a language or task is unknown, or a picture is not there.
    """
    file = place / CASES_FILE if place.is_dir() else place
    found = list(_lines(file))
    paths = [file.parent / line.image for _, line in found]
    cases = [_case(line, path, where) for (where, line), path in zip(found, paths, strict=True)]
    return Cases(file.parent.resolve().name, cases, source_hash=lambda number: _file_hash(paths[number]))


def _lines(file: Path) -> Iterator[tuple[str, _Line]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(
            given=f"{file}, which cannot be read ({fault})",
            expected="a JSONL file in UTF-8, one case a line",
            remedy="Check the path.",
        ) from fault
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"line {number} of {file}"
        try:
            yield where, _Line.model_validate_json(line)
        except ValidationError as fault:
            first = fault.errors()[0]
            name = ".".join(map(str, first["loc"])) or "the line"
            raise DataError(
                given=f"{where}, in which {name} is wrong ({first['msg']})",
                expected=f"a JSON object with {', '.join(_Line.model_fields)}",
                remedy="Correct the line.",
            ) from fault


def _case(line: _Line, path: Path, where: str) -> JudgeableCase:
    identity = case_id(line.task, line.language, path.stem if line.key is None else line.key, where=where)
    if not path.is_file():
        raise DataError(
            given=f"the picture {path} of {where}, which is not there",
            expected="a PNG, JPEG or WebP picture, its path from the folder of the JSONL file",
            remedy="Correct the path, or add the picture.",
        )
    return JudgeableCase(
        id=identity, instruction=line.instruction, intersection=line.intersection, open_source=partial(_open, path)
    )


def _open(path: Path) -> Image.Image:
    try:
        return read_reference(path).rgb
    except RequestError as fault:
        raise DataError(given=fault.given, expected=fault.expected, remedy=fault.remedy) from fault


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
