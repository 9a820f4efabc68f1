"""Samples: what of a judged case enters the means, whichever arithmetic reads it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from step1x_edit.errors import DataError
from step1x_edit.schema.judged import CaseId, JudgedCase

__all__ = ["Sample", "own_samples", "unjudged_samples"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One case."""

    id: CaseId
    intersection: bool
    state: Literal["scored", "unscored", "missing", "unjudged"]
    values: tuple[float, float, float] | None = None
    """SC, PQ and O; none unless scored."""


def own_samples(cases: Iterable[JudgedCase]) -> tuple[Sample, ...]:
    """Return the cases as our arithmetic sees them, each with both scores or with none.

    Raises:
        DataError: A case comes twice, or there is none.
    """
    return checked([_own(case) for case in cases])


def unjudged_samples(judged: Iterable[Sample], expected: Iterable[CaseId]) -> tuple[Sample, ...]:
    """Return the cases of a run that the judge's log does not hold.

    Args:
        judged: Those it holds.
        expected: Ids of the run's cases. Only the log knows which are in the intersection; these count for the full set.
    """
    known = {str(one.id) for one in judged}
    return tuple(Sample(id=one, intersection=False, state="unjudged") for one in expected if str(one) not in known)


def checked(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return the samples, if there are some and no two are of one case.

    Raises:
        DataError: A case comes twice, or there is none.
    """
    if not samples:
        raise DataError(
            given="a judge's log without a case",
            expected="at least one judged case",
            remedy="Run `step1x bench judge` on the run first.",
        )
    seen: set[str] = set()
    for one in samples:
        if str(one.id) in seen:
            raise DataError(
                given=f"a judge's log that holds {one.id} twice",
                expected="one row for every task, language and key",
                remedy="Judge the run again into an empty folder.",
            )
        seen.add(str(one.id))
    return tuple(samples)


def _own(case: JudgedCase) -> Sample:
    consistency, quality, overall = case.score("consistency"), case.score("quality"), case.overall
    if case.state != "scored" or consistency is None or quality is None or overall is None:
        return Sample(id=case.case, intersection=case.intersection, state=case.state)
    values = (consistency, quality, overall)
    return Sample(id=case.case, intersection=case.intersection, state="scored", values=values)
