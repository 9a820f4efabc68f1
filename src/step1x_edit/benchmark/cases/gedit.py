"""GEdit-Bench as it is published → cases, told apart by task, language and key."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

from PIL import Image

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.cases.case_set import Cases
from step1x_edit.benchmark.cases.naming import case_id
from step1x_edit.benchmark.cases.published_data import PUBLISHED_NAME, load_published
from step1x_edit.benchmark.cases.source_picture import open_published_picture
from step1x_edit.errors import DataError

__all__ = ["COLUMNS", "open_gedit"]

COLUMNS = ("task_type", "key", "instruction", "instruction_language", "input_image", "Intersection_exist")
"""What is read. ``input_image_raw`` is not: editors get ``input_image``, and the judge compares with it (the maintainers'
word in issue 41 of the published code)."""
_WORDS = tuple(name for name in COLUMNS if name != "input_image")


def open_gedit(place: str = PUBLISHED_NAME, *, split: str | None = None) -> Cases:
    """Open GEdit-Bench, both languages.

    Rows keep the data set's order. Pictures are decoded when a case's source is asked for.

    Args:
        place: A path to Arrow or Parquet files or a saved data set, or a name in the hub cache.
        split: ``train`` or ``test``; by default the one that is there.

    Raises:
        MissingExtra: ``datasets`` is not installed.
        DataError: It is not on this machine, columns are absent, two rows are one case, a language or task is unknown,
            or a row lacks words or picture.

    Source:
        Data set ``stepfun-ai/GEdit-Bench``; Step1X-Edit report (arXiv:2504.17761), section 5.
    """
    data = load_published(place, columns=COLUMNS, split=split)
    words = data.select_columns(list(_WORDS)).to_list()
    cases = [_case(data, number, row, place) for number, row in enumerate(words)]
    return Cases("gedit", cases, source_hash=lambda number: hashlib.sha256(_stored(data, number, place)).hexdigest())


def _case(data: Any, number: int, row: dict[str, Any], place: str) -> JudgeableCase:
    where = f"row {number} of {place}"
    identity = case_id(row["task_type"], row["instruction_language"], row["key"], where=where)
    instruction, intersection = row["instruction"], row["Intersection_exist"]
    if not (isinstance(instruction, str) and instruction.strip()):
        raise DataError(
            given=f"no instruction in {where} ({identity})",
            expected="what to change, in words",
            remedy="Use the data set as it is published.",
        )
    return JudgeableCase(
        id=identity,
        instruction=instruction,
        intersection=bool(intersection),
        open_source=partial(_open, data, number, f"the source of {identity}, {where}", place),
    )


def _open(data: Any, number: int, what: str, place: str) -> Image.Image:
    return open_published_picture(_stored(data, number, place), what=what)


def _stored(data: Any, number: int, place: str) -> bytes:
    """Return the bytes of a row's picture file."""
    content = (data[number]["input_image"] or {}).get("bytes")
    if not content:
        raise DataError(
            given=f"no picture in row {number} of {place}",
            expected="the source inside the data set, in input_image",
            remedy="Fetch the data set again.",
        )
    return content
