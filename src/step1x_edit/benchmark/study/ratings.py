"""People's answers in an SQLite file: each is on disk before the next case is shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from step1x_edit.errors import DataError
from step1x_edit.schema.judged import CaseId

__all__ = ["LEVELS", "Rating", "Ratings"]

LEVELS = (2, 4, 6, 8, 10)
"""Worst, poor, fair, good, excellent. Source: Step1X-Edit report (arXiv:2504.17761), user study."""

_TABLES = """
CREATE TABLE IF NOT EXISTS study(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS person(id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS rating(
  person TEXT NOT NULL REFERENCES person(id), task TEXT NOT NULL, language TEXT NOT NULL, key TEXT NOT NULL,
  method TEXT NOT NULL, level INTEGER NOT NULL CHECK(level IN (2, 4, 6, 8, 10)), seconds REAL NOT NULL,
  PRIMARY KEY(person, task, language, key, method));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One person's level for one picture."""

    person: str
    case: CaseId
    method: str
    level: int


class Ratings:
    """The answers of one study.

    Args:
        path: The file; made when absent.

    Raises:
        DataError: It is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as base:
            base.executescript(_TABLES)

    def claim(self, fingerprint: str) -> None:
        """Bind the file to a study, or check that it is of the same one.

        Raises:
            DataError: It holds answers about other pictures.
        """
        with self._open() as base:
            base.execute("INSERT OR IGNORE INTO study VALUES('fingerprint', ?)", (fingerprint,))
            kept = base.execute("SELECT value FROM study WHERE name = 'fingerprint'").fetchone()[0]
        if kept != fingerprint:
            raise DataError(
                given=f"{self._path}, which holds answers about other cases or editors",
                expected="a new file, or the file of this study",
                remedy="Choose another --db.",
            )

    def add_person(self, person: str) -> None:
        """Let a person take part."""
        with self._open() as base:
            base.execute("INSERT OR IGNORE INTO person VALUES(?)", (person,))

    def knows(self, person: str) -> bool:
        """Tell whether a person takes part."""
        with self._open() as base:
            return base.execute("SELECT 1 FROM person WHERE id = ?", (person,)).fetchone() is not None

    def rate(self, person: str, case: CaseId, levels: Mapping[str, int], *, seconds: float) -> None:
        """Keep a person's levels for a case, by editor; earlier ones are replaced, all of them or none."""
        rows = [
            (person, case.task.value, case.language, case.key, method, level, seconds)
            for method, level in levels.items()
        ]
        with self._open() as base:
            base.executemany("INSERT OR REPLACE INTO rating VALUES(?, ?, ?, ?, ?, ?, ?)", rows)

    def of(self, person: str) -> dict[CaseId, dict[str, int]]:
        """Return a person's levels by case and editor."""
        found: dict[CaseId, dict[str, int]] = {}
        for one in self._read("WHERE person = ?", (person,)):
            found.setdefault(one.case, {})[one.method] = one.level
        return found

    def all(self) -> list[Rating]:
        """Return everybody's levels, in a fixed order."""
        return self._read("", ())

    def _read(self, where: str, values: tuple[Any, ...]) -> list[Rating]:
        order = "ORDER BY task, language, key, method, person"
        with self._open() as base:
            rows = base.execute(
                f"SELECT person, task, language, key, method, level FROM rating {where} {order}", values
            )
            return [
                Rating(
                    person=person,
                    case=CaseId.model_validate({"task": task, "language": language, "key": key}),
                    method=method,
                    level=level,
                )
                for person, task, language, key, method, level in rows
            ]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=30)) as base, base:
                yield base
        except sqlite3.DatabaseError as fault:
            raise DataError(
                given=f"{self._path}, which SQLite refuses ({fault})",
                expected="a file of answers that `step1x bench study` has written, on a disk with room",
                remedy="Choose another --db, or restore the file.",
            ) from fault
