"""People's levels → means with intervals, and how far people agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np
from pydantic import BaseModel, ConfigDict

from step1x_edit.benchmark.scores.resampling import interval, resampled_means
from step1x_edit.benchmark.study.ratings import LEVELS, Rating
from step1x_edit.schema.judged_scores import Average
from step1x_edit.schema.tasks import EditTask

__all__ = ["MethodResult", "StudyResults", "ordinal_agreement", "study_results"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class MethodResult(_Record):
    """What people said of one editor."""

    method: str
    macro: Average
    """Levels 2..10: people's mean for each case, cases' for each task, then every task with the same weight."""
    tasks: dict[EditTask, Average]
    cases: int
    ratings: int


class StudyResults(_Record):
    """What people said so far."""

    people: int
    agreement: float | None
    """See :func:`ordinal_agreement`."""
    methods: tuple[MethodResult, ...]
    """The best first."""


def study_results(ratings: Sequence[Rating]) -> StudyResults:
    """Average levels as the paper does, with 95 % intervals over resampled cases."""
    by_method: dict[str, list[Rating]] = defaultdict(list)
    units: dict[tuple[str, str], list[int]] = defaultdict(list)
    for one in ratings:
        by_method[one.method].append(one)
        units[str(one.case), one.method].append(one.level)
    found = [_of_method(method, given) for method, given in sorted(by_method.items())]
    return StudyResults(
        people=len({one.person for one in ratings}),
        agreement=ordinal_agreement(units.values()),
        methods=tuple(sorted(found, key=lambda one: -(one.macro.value or 0.0))),
    )


def ordinal_agreement(units: Iterable[Sequence[int]]) -> float | None:
    """Return Krippendorff's alpha for ordered levels.

    Args:
        units: The levels that different people gave one picture, for each picture; people may have left some out.

    Returns:
        1 for people of one mind, 0 for levels as by chance; None where no picture has two levels, or all levels are equal.

    Source:
        K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), ordinal metric.
    """
    together = np.zeros((len(LEVELS), len(LEVELS)))
    for levels in units:
        if len(levels) > 1:
            counts = np.array([list(levels).count(level) for level in LEVELS], dtype=np.float64)
            together += (np.outer(counts, counts) - np.diag(counts)) / (len(levels) - 1)
    totals = together.sum(axis=0)
    between = np.cumsum(totals) - totals / 2
    distance = (between[:, None] - between[None, :]) ** 2
    expected = (np.outer(totals, totals) * distance).sum()
    return None if expected == 0 else float(1 - (totals.sum() - 1) * (together * distance).sum() / expected)


def _of_method(method: str, ratings: Sequence[Rating]) -> MethodResult:
    by_case: dict[EditTask, dict[str, list[int]]] = {task: defaultdict(list) for task in EditTask}
    for one in ratings:
        by_case[one.case.task][str(one.case)].append(one.level)
    values = {
        task: np.array([[fmean(levels)] for levels in cases.values()]) for task, cases in by_case.items() if cases
    }
    drawn = resampled_means(values)
    sizes = [len(rows) for rows in values.values()]
    macro = fmean(float(rows.mean()) for rows in values.values())
    return MethodResult(
        method=method,
        macro=Average(value=macro, interval=interval(drawn.macro[:, 0], cases=sizes)),
        tasks={
            task: Average(value=float(rows.mean()), interval=interval(drawn.tasks[task][:, 0], cases=[len(rows)]))
            for task, rows in values.items()
        },
        cases=sum(sizes),
        ratings=len(ratings),
    )
