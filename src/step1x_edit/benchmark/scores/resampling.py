"""Resampling: how far a mean would move if other cases of the same kind had been chosen.

Cases are drawn with replacement inside their task, so that every draw has as many cases of each task as the run.

Source: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), percentile intervals; stratified draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from step1x_edit.schema.judged_scores import Interval
from step1x_edit.schema.tasks import EditTask

__all__ = ["DRAWS", "ResampledMeans", "interval", "resampled_means"]

DRAWS = 4000
"""Draws behind an interval; its ends then move by about a thirtieth of its width from one seed to another."""
SEED = 20250424
"""Of every draw, so that equal scores have equal intervals."""
LEAST_CASES = 2
"""A single case says nothing about how far others would lie from it."""
ENDS = (2.5, 97.5)
CHUNK = 500
"""Draws at a time; keeps memory to some megabytes."""

_TASK_ORDER = {task: place for place, task in enumerate(EditTask)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResampledMeans:
    """Means of every draw."""

    tasks: Mapping[EditTask, Float[np.ndarray, "draws metrics"]]
    macro: Float[np.ndarray, "draws metrics"]
    sample: Float[np.ndarray, "draws metrics"]


def resampled_means(values: Mapping[EditTask, Float[np.ndarray, "_ metrics"]], *, draws: int = DRAWS) -> ResampledMeans:
    """Draw the cases of every task again and again, and average each time.

    Args:
        values: Scores of each task's cases, at least one case a task. A task's draws depend on the task and its cases
            alone: other tasks may come and go.
        draws: How many times.
    """
    tasks = {task: _drawn(rows, draws, seed=(SEED, _TASK_ORDER[task])) for task, rows in values.items()}
    sizes = [len(rows) for rows in values.values()]
    stacked = np.stack(list(tasks.values()))
    weights = np.array(sizes, dtype=np.float64) / sum(sizes)
    return ResampledMeans(tasks=tasks, macro=stacked.mean(axis=0), sample=np.tensordot(weights, stacked, axes=1))


def interval(means: Float[np.ndarray, " draws"], *, cases: Sequence[int]) -> Interval | None:
    """Return the middle 95 % of resampled means.

    Args:
        means: One mean for each draw.
        cases: How many cases each task behind the mean has.

    Returns:
        The interval, or None where a task has a single case.
    """
    if min(cases) < LEAST_CASES:
        return None
    low, high = np.percentile(means, ENDS)
    return Interval(low=float(low), high=float(high))


def _drawn(
    rows: Float[np.ndarray, "cases metrics"], draws: int, *, seed: tuple[int, int]
) -> Float[np.ndarray, "draws metrics"]:
    generator = np.random.default_rng(seed)
    parts = []
    for first in range(0, draws, CHUNK):
        size = (min(CHUNK, draws - first), len(rows))
        parts.append(rows[generator.integers(len(rows), size=size)].mean(axis=1))
    return np.concatenate(parts)
