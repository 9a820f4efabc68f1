"""A folder of pairs: a CSV or JSONL that names them, or sub-folders whose files have equal names.

Columns of a table (paths are relative to it)::

    reference        picture before the edit; left empty or out for text-to-image
    target           picture after it
    instruction      the edit in English (also: instruction_en)
    instruction_zh   the edit in Chinese
    mask             picture that is white where the edit may change something

Sub-folders, by the files' stems::

    reference/cup.png   target/cup.jpg   target/cup.txt   target/cup.zh.txt   mask/cup.png

The text may lie in ``reference/`` or the folder itself instead. Without ``reference/`` all pairs are text-to-image.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from step1x_edit.errors import DataError
from step1x_edit.training.pairs.files import FilePairs, PairFiles
from step1x_edit.training.pairs.pair import Language
from step1x_edit.training.pairs.pictures import SUFFIXES

__all__ = ["TABLES", "find_table", "open_folder"]

TABLES = (".csv", ".jsonl")
INSTRUCTIONS: dict[str, Language] = {"instruction": "en", "instruction_en": "en", "instruction_zh": "zh"}
_TEXTS: dict[Language, str] = {"en": ".txt", "zh": ".zh.txt"}


def open_folder(path: Path, *, name: str) -> FilePairs:
    """Open a folder of pairs, or its table.

    Raises:
        DataError: Neither a table nor the sub-folders are there, or the table cannot be read.
    """
    table = find_table(path)
    rows = list(_table_rows(table)) if table else list(_named_alike(path))
    if not rows:
        raise DataError(
            given=f"{path}, in which there is no pair",
            expected="a CSV or JSONL with the columns reference, target, instruction; or the sub-folders reference/, target/",
            remedy="docs/pairs.md shows both forms.",
        )
    return FilePairs(name, rows)


def find_table(path: Path) -> Path | None:
    """Return the table that is meant by a file or a folder, or None where there is none.

    Raises:
        DataError: A folder holds several.
    """
    if path.is_file():
        return path
    tables = sorted(file for file in path.iterdir() if file.suffix.lower() in TABLES)
    if len(tables) > 1:
        raise DataError(
            given=f"{path} with the tables {', '.join(table.name for table in tables)}",
            expected="one",
            remedy="Name the file itself, or give each as a source of its own.",
        )
    return tables[0] if tables else None


def _table_rows(table: Path) -> Iterator[PairFiles]:
    for number, row in _records(table):
        origin = f"row {number} of {table.name}"
        target = _word(row, "target")
        if not target:
            raise DataError(
                given=f"{origin}, which has no target (its columns: {', '.join(row) or 'none'})",
                expected="the columns reference, target, instruction",
                remedy=f"Fill the column `target` of {table}.",
            )
        reference, mask = _word(row, "reference"), _word(row, "mask")
        yield PairFiles(
            id=f"{table.stem}-{number}",
            origin=origin,
            reference=table.parent / reference if reference else None,
            target=table.parent / target,
            mask=table.parent / mask if mask else None,
            instructions={language: word for name, language in INSTRUCTIONS.items() if (word := _word(row, name))},
        )


def _records(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield rows with their numbers as an editor counts them."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            if table.suffix.lower() == ".csv":
                for row in (reader := csv.DictReader(file, strict=True)):
                    yield reader.line_num, row
                return
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, dict(json.loads(line))
    except (csv.Error, TypeError, ValueError) as error:
        raise DataError(
            given=f"{table}, which cannot be read ({error})",
            expected="a CSV with a head line, or a JSON object on each line, in UTF-8",
            remedy="Save it again in that form.",
        ) from error


def _word(row: Mapping[str, Any], column: str) -> str:
    return str(row.get(column) or "").strip()


def _named_alike(folder: Path) -> Iterator[PairFiles]:
    pictures = {part: _pictures(folder / part) for part in ("reference", "target", "mask")}
    edits = (folder / "reference").is_dir()
    for stem in sorted({*pictures["reference"], *pictures["target"]}):
        reference = pictures["reference"].get(stem, folder / "reference" / f"{stem}.*")
        yield PairFiles(
            id=stem,
            origin=f"pair {stem!r} of {folder.name}",
            reference=reference if edits else None,
            target=pictures["target"].get(stem, folder / "target" / f"{stem}.*"),
            mask=pictures["mask"].get(stem),
            instructions=_texts(folder, stem),
        )


def _pictures(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES}


def _texts(folder: Path, stem: str) -> dict[Language, str]:
    found: dict[Language, str] = {}
    for language, suffix in _TEXTS.items():
        for place in (folder / "target", folder / "reference", folder):
            file = place / f"{stem}{suffix}"
            if file.is_file():
                try:
                    found[language] = file.read_text(encoding="utf-8-sig").strip()
                except UnicodeDecodeError as error:
                    raise DataError(given=f"{file} ({error})", expected="UTF-8", remedy="Save it as UTF-8.") from error
                break
    return {language: text for language, text in found.items() if text}
