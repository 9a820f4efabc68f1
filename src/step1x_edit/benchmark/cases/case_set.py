"""A set of cases that any source fills, and the choice of some of them for a run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.errors import DataError
from step1x_edit.schema.judged import CaseLanguage
from step1x_edit.schema.tasks import EditTask

__all__ = ["Cases", "NumberedCase", "chosen_cases"]

NumberedCase = tuple[int, JudgeableCase]
"""A case and its place in its whole set, so that a seed does not hang on which cases were chosen beside it."""


class Cases:
    """Cases in a fixed order (a :class:`~step1x_edit.benchmark.cases.case.CaseSet`).

    Args:
        name: What results call the set.
        cases: All of them.
        source_hash: Case's place → a hash of its source picture, 64 hexadecimal digits.

    Raises:
        DataError: There is no case, or two are called the same.
    """

    def __init__(self, name: str, cases: Sequence[JudgeableCase], *, source_hash: Callable[[int], str]) -> None:
        self.name = name
        self.cases = tuple(cases)
        self._source_hash = source_hash
        self._fingerprint = ""
        self._refuse_doubles()

    @property
    def fingerprint(self) -> str:
        """Hash over ids, instructions and source pictures, 64 hexadecimal digits; equal sets, equal fingerprints."""
        if not self._fingerprint:
            digest = hashlib.sha256()
            for number, case in enumerate(self.cases):
                fields = (str(case.id), case.instruction, str(case.intersection), self._source_hash(number))
                digest.update(repr(fields).encode())
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[JudgeableCase]:
        return iter(self.cases)

    def _refuse_doubles(self) -> None:
        seen: set[str] = set()
        for case in self.cases:
            if str(case.id) in seen:
                raise DataError(
                    given=f"{self.name} with two cases {case.id}",
                    expected="keys that are unique inside a task and a language",
                    remedy="Give one of them another key, or take one out.",
                )
            seen.add(str(case.id))
        if not seen:
            raise DataError(
                given=f"{self.name} without a case",
                expected="at least one case",
                remedy="Check that the right folder or file was named.",
            )


def chosen_cases(
    cases: Cases,
    *,
    languages: Sequence[CaseLanguage] = ("en", "cn"),
    tasks: Sequence[EditTask] = (),
    per_task: int | None = None,
) -> tuple[NumberedCase, ...]:
    """Choose cases of a set, in its order.

    Args:
        cases: The set.
        languages: Which languages.
        tasks: Which tasks; none named means all.
        per_task: At most so many of each task and language, the first ones.

    Raises:
        DataError: No case is left.
    """
    counts: dict[tuple[EditTask, str], int] = {}
    chosen: list[NumberedCase] = []
    for number, case in enumerate(cases.cases):
        group = case.id.task, case.id.language
        if case.id.language not in languages or (tasks and case.id.task not in tasks):
            continue
        counts[group] = counts.get(group, 0) + 1
        if per_task is None or counts[group] <= per_task:
            chosen.append((number, case))
    if not chosen:
        asked = f"{' and '.join(languages)}{', ' + ', '.join(task.value for task in tasks) if tasks else ''}"
        raise DataError(
            given=f"no case of {cases.name} in {asked}",
            expected="at least one case to run",
            remedy="Choose other tasks or another language.",
        )
    return tuple(chosen)
