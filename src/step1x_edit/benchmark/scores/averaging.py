"""Averaging: samples → means per task, over tasks and over cases, with counts beside every one.

Source:
    Step1X-Edit report (arXiv:2504.17761), Tables 2 and 3, and the released statistics script: the mean of each task, then
    the unweighted mean over tasks, for SC, PQ and O apart. O is therefore not the root of the mean SC times the mean PQ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from step1x_edit.benchmark.scores.resampling import ResampledMeans, interval, resampled_means
from step1x_edit.benchmark.scores.samples import Sample
from step1x_edit.schema.judged import CaseLanguage
from step1x_edit.schema.judged_scores import METRICS, Average, Counts, Metric, ScoreSection, Subset, TaskScores
from step1x_edit.schema.tasks import EditTask

__all__ = ["LANGUAGES", "SUBSETS", "counts_of", "score_sections", "values_by_task"]

LANGUAGES: tuple[CaseLanguage, ...] = ("en", "cn")
SUBSETS: tuple[Subset, ...] = ("full", "intersection")


def score_sections(samples: Sequence[Sample], *, tasks: Iterable[EditTask] | None = None) -> tuple[ScoreSection, ...]:
    """Return a section for each language and subset that has cases.

    Args:
        samples: All cases of a run, scored or not.
        tasks: Tasks that a macro mean needs; those that have cases when not given.
    """
    sections = []
    for language in LANGUAGES:
        for subset in SUBSETS:
            chosen = [one for one in samples if one.id.language == language and (subset == "full" or one.intersection)]
            if chosen:
                sections.append(_section(chosen, language=language, subset=subset, tasks=tasks))
    return tuple(sections)


def counts_of(samples: Iterable[Sample]) -> Counts:
    """Count scored, unscored, missing and unjudged cases."""
    states = Counter(one.state for one in samples)
    return Counts(**{state: states[state] for state in ("scored", "unscored", "missing", "unjudged")})


def values_by_task(samples: Iterable[Sample]) -> dict[EditTask, Float[np.ndarray, "_ 3"]]:
    """Return SC, PQ and O of the scored cases of each task, tasks in the paper's order."""
    rows: dict[EditTask, list[tuple[float, float, float]]] = {task: [] for task in EditTask}
    for one in samples:
        if one.values is not None:
            rows[one.id.task].append(one.values)
    return {task: np.array(values, dtype=np.float64) for task, values in rows.items() if values}


def _section(
    samples: Sequence[Sample], *, language: CaseLanguage, subset: Subset, tasks: Iterable[EditTask] | None
) -> ScoreSection:
    present = {one.id.task for one in samples}
    wanted = set(present if tasks is None else tasks)
    # The order of the log may be that of a judge with several threads; the means must not depend on it.
    values = values_by_task(sorted(samples, key=lambda one: str(one.id)))
    drawn = resampled_means(values) if values else None
    unserved = tuple(task for task in EditTask if task in wanted and task not in values)
    return ScoreSection(
        language=language,
        subset=subset,
        counts=counts_of(samples),
        tasks=tuple(_task(task, samples, values, drawn) for task in EditTask if task in present),
        macro=_macro(values, drawn, complete=not unserved),
        sample=_over_cases(values, drawn),
        unserved=unserved,
    )


def _task(
    task: EditTask,
    samples: Sequence[Sample],
    values: Mapping[EditTask, Float[np.ndarray, "_ 3"]],
    drawn: ResampledMeans | None,
) -> TaskScores:
    means: dict[Metric, Average] = {metric: Average(value=None) for metric in METRICS}
    if drawn is not None and task in values:
        means = _averages(values[task].mean(axis=0), drawn.tasks[task], cases=[len(values[task])])
    return TaskScores(task=task, counts=counts_of(one for one in samples if one.id.task is task), means=means)


def _macro(
    values: Mapping[EditTask, Float[np.ndarray, "_ 3"]], drawn: ResampledMeans | None, *, complete: bool
) -> dict[Metric, Average]:
    if drawn is None or not complete:
        return {metric: Average(value=None) for metric in METRICS}
    means = np.mean([rows.mean(axis=0) for rows in values.values()], axis=0)
    return _averages(means, drawn.macro, cases=[len(rows) for rows in values.values()])


def _over_cases(
    values: Mapping[EditTask, Float[np.ndarray, "_ 3"]], drawn: ResampledMeans | None
) -> dict[Metric, Average]:
    if drawn is None:
        return {metric: Average(value=None) for metric in METRICS}
    means = np.concatenate(list(values.values())).mean(axis=0)
    return _averages(means, drawn.sample, cases=[len(rows) for rows in values.values()])


def _averages(
    means: Float[np.ndarray, " metrics"], drawn: Float[np.ndarray, "draws metrics"], *, cases: Sequence[int]
) -> dict[Metric, Average]:
    return {
        metric: Average(value=float(means[place]), interval=interval(drawn[:, place], cases=cases))
        for place, metric in enumerate(METRICS)
    }
