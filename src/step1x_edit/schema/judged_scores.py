"""What is averaged from a judge's answers, and what two editors' answers say of their difference."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from step1x_edit.schema.judged import CaseId, CaseLanguage, JudgeSettings
from step1x_edit.schema.tasks import EditTask

__all__ = [
    "METRICS",
    "Arithmetic",
    "Average",
    "Counts",
    "Interval",
    "LeftOut",
    "Metric",
    "PairedDifference",
    "ScoreSection",
    "ScoreTable",
    "Subset",
    "TaskScores",
]

Metric = Literal["SC", "PQ", "O"]
"""Semantic consistency, perceptual quality, overall = sqrt(SC · PQ) of each case; all 0..10."""
METRICS: tuple[Metric, ...] = ("SC", "PQ", "O")
Subset = Literal["full", "intersection"]
Arithmetic = Literal["own", "official"]
"""Own: an answer that is no answer is not scored. Official: the released script's reading and means."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Counts(_Record):
    """How many cases stand behind a mean, and how many do not."""

    scored: int
    unscored: int
    """There is a picture, but not both scores."""
    missing: int
    """The editor gave no picture."""
    unjudged: int = 0
    """In the run, but not in the judge's log: the judge has not come to them."""

    @property
    def cases(self) -> int:
        """All of them."""
        return self.scored + self.unscored + self.missing + self.unjudged


class Interval(_Record):
    """A 95 % interval."""

    low: float
    high: float


class Average(_Record):
    """A mean and how sure it is."""

    value: float | None
    """``None`` where nothing was scored, or, over tasks, where a task has no scored case."""
    interval: Interval | None = None
    """From resampled cases; ``None`` where a task has fewer than two."""


class TaskScores(_Record):
    """Means over a task's cases."""

    task: EditTask
    counts: Counts
    means: dict[Metric, Average]


class ScoreSection(_Record):
    """One language and one subset."""

    language: CaseLanguage
    subset: Subset
    counts: Counts
    tasks: tuple[TaskScores, ...]
    macro: dict[Metric, Average]
    """Every task with the same weight: what the paper's tables print."""
    sample: dict[Metric, Average]
    """Every case with the same weight: what some later reports print."""
    unserved: tuple[EditTask, ...] = ()
    """Tasks without a scored case, for which there is no macro mean."""


class LeftOut(_Record):
    """A case for which the released scorer would have made a score up, or never come to an end."""

    case: CaseId
    reason: str
    raw: tuple[str, ...]
    """The answers that it would have read, as they came."""


class ScoreTable(_Record):
    """All means of one editor under one judge."""

    method: str
    judge: JudgeSettings
    arithmetic: Arithmetic
    sections: tuple[ScoreSection, ...]
    left_out: tuple[LeftOut, ...] = ()
    """Official arithmetic only: listed, never guessed."""

    def section(self, language: CaseLanguage, subset: Subset) -> ScoreSection | None:
        """Return the section of a language and a subset, if the run has such cases."""
        found = (one for one in self.sections if (one.language, one.subset) == (language, subset))
        return next(found, None)


class PairedDifference(_Record):
    """How much better the second of two editors did than the first, on the cases that both have scored."""

    first: str
    second: str
    language: CaseLanguage
    subset: Subset
    metric: Metric
    cases: int
    only_first: int
    """Scored for the first only; left out."""
    only_second: int
    macro: Average
    """Mean difference, every task with the same weight."""
    sample: Average
    wins: int
    """Cases in which the second has the higher score."""
    ties: int
    losses: int
    p_value: float
    """Of the macro difference: how often chance alone gives one at least as large (signs flipped case by case)."""
    p_adjusted: float
    """The same after Holm's correction for all pairs and metrics of this language and subset."""
