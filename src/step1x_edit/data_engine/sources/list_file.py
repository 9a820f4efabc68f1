"""Reads the pictures a list names: plain lines of paths, CSV, or JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from step1x_edit.data_engine.sources.folder import read_one
from step1x_edit.data_engine.sources.metadata import known_from
from step1x_edit.data_engine.sources.offers import Offer, Unreadable
from step1x_edit.errors import DataError

__all__ = ["LIST_SUFFIXES", "read_list"]

LIST_SUFFIXES = (".txt", ".lst", ".csv", ".jsonl")
PATH_FIELDS = ("path", "file", "file_name", "image")


def read_list(path: Path) -> Iterator[Offer]:
    """Yield the pictures of a list. Paths are meant from the list's own folder.

    Args:
        path: ``.txt`` or ``.lst``: one path per line, ``#`` begins a comment; ``.csv`` with a header, ``.jsonl``: a column
            ``path``, and optionally ``licence``, ``author``, ``label``, ``label_zh``, ``dataset``.

    Raises:
        DataError: A CSV has no column ``path``, or the list is not UTF-8.
    """
    for number, row in _rows(path):
        where = f"{path.name}:{number}"
        name = next((row[field] for field in PATH_FIELDS if isinstance(row.get(field), str) and row[field]), None)
        if name is None:
            yield Unreadable(uri=where, dataset=path.stem, reason="The line names no path.")
            continue
        offer = read_one(path.parent / str(name), known_from(row, dataset=path.stem))
        yield replace(offer, uri=str(name))


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            if path.suffix.lower() == ".csv":
                table = csv.DictReader(lines)
                _check_header(path, table.fieldnames or ())
                yield from ((table.line_num, {**row}) for row in table)
                return
            for number, line in enumerate(lines, 1):
                text = line.strip()
                if not text or (text.startswith("#") and path.suffix.lower() != ".jsonl"):
                    continue
                yield number, _object(text) if path.suffix.lower() == ".jsonl" else {"path": text}
    except UnicodeDecodeError as error:
        raise DataError(
            given=f"the list {path}, which is not UTF-8 ({error.reason})",
            expected="text in UTF-8",
            remedy="Save it as UTF-8.",
        ) from error


def _object(line: str) -> dict[str, object]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _check_header(path: Path, names: Sequence[str]) -> None:
    if not any(field in names for field in PATH_FIELDS):
        raise DataError(
            given=f"the table {path} with the columns {', '.join(names) or 'none'}",
            expected=f"a column {PATH_FIELDS[0]!r}",
            remedy="Name the column of the pictures' paths so, in the first line.",
        )
