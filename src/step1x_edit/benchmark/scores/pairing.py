"""Pairing: how much better one editor did than another on the cases that both have scored, and whether chance does as much.

Two editors' scores of a case lean the same way, since some cases are hard for all; a difference case by case is therefore
surer than two intervals side by side.

Source:
    Signs flipped case by case: R. Fisher (1935), B. Efron, R. Tibshirani (1993), chapter 15; correction for several
    comparisons: S. Holm (1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from step1x_edit.benchmark.scores.judged_run import JudgedRun, check_comparable
from step1x_edit.benchmark.scores.resampling import interval, resampled_means
from step1x_edit.benchmark.scores.samples import own_samples
from step1x_edit.errors import DataError
from step1x_edit.schema.judged import CaseLanguage
from step1x_edit.schema.judged_scores import METRICS, Average, PairedDifference, Subset
from step1x_edit.schema.tasks import EditTask

__all__ = ["holm", "paired_differences", "sign_flip_p_values"]

FLIPS = 9_999
"""With the observed one, ten thousand arrangements of the signs: the least p-value is 0.0001."""
SEED = 20250424
CHUNK = 500
ROUNDING = 1e-12
"""Two sums of the same numbers in another order are equal up to this."""


_Scored = tuple[EditTask, Float[np.ndarray, " 3"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    values: Mapping[EditTask, Float[np.ndarray, "_ 3"]]
    """Second minus first, for the cases that both have."""
    only_first: int
    only_second: int


def paired_differences(
    runs: Sequence[JudgedRun], *, language: CaseLanguage, subset: Subset = "full"
) -> tuple[PairedDifference, ...]:
    """Compare every two editors.

    Args:
        runs: Two or more, each a different editor, under one judge.
        language: Language of the instructions.
        subset: ``full`` or ``intersection``.

    Returns:
        One difference for each pair and metric, in the order of the runs; pairs without a common case are left out.

    Raises:
        DataError: Judges or cases differ, or an editor comes twice.
    """
    _check_names(runs)
    check_comparable(list(runs))
    chosen = {run.method: _chosen(run, language=language, subset=subset) for run in runs}
    found: list[PairedDifference] = []
    for first, second in combinations(chosen, 2):
        pair = _paired(chosen[first], chosen[second])
        if pair.values:
            found.extend(_differences(first, second, pair, language=language, subset=subset))
    adjusted = holm([one.p_value for one in found])
    return tuple(one.model_copy(update={"p_adjusted": value}) for one, value in zip(found, adjusted, strict=True))


def sign_flip_p_values(
    differences: Mapping[EditTask, Float[np.ndarray, "_ metrics"]], *, flips: int = FLIPS
) -> Float[np.ndarray, " metrics"]:
    """Return how often flipped signs give a macro mean at least as far from zero as the one that was observed.

    Args:
        differences: Of each task's cases. If the two editors were alike, each case's sign would be a coin's.
        flips: How many arrangements of the signs are tried.
    """
    # A case counts for the macro mean by one over its task's cases and one over the tasks.
    weighted = np.concatenate([rows / (len(rows) * len(differences)) for rows in differences.values()])
    observed = np.abs(weighted.sum(axis=0)) - ROUNDING
    generator = np.random.default_rng(SEED)
    further = np.ones(weighted.shape[1])
    for first in range(0, flips, CHUNK):
        signs = generator.integers(0, 2, size=(min(CHUNK, flips - first), len(weighted))) * 2.0 - 1.0
        further += (np.abs(signs @ weighted) >= observed).sum(axis=0)
    return further / (flips + 1)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values that may be read together: the chance of one false finding among all stays what a single one has."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return tuple(adjusted)


def _check_names(runs: Sequence[JudgedRun]) -> None:
    names = [run.method for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            given=f"the editor {twice[0]} twice ({', '.join(str(run.folder) for run in runs if run.method == twice[0])})",
            expected="editors of different names",
            remedy="Give one run of each editor, or rename a folder below results.",
        )


def _chosen(run: JudgedRun, *, language: CaseLanguage, subset: Subset) -> dict[str, _Scored]:
    return {
        str(one.id): (one.id.task, np.array(one.values))
        for one in own_samples(run.cases)
        if one.id.language == language and (subset == "full" or one.intersection) and one.values is not None
    }


def _paired(first: Mapping[str, _Scored], second: Mapping[str, _Scored]) -> _Pair:
    rows: dict[EditTask, list[Float[np.ndarray, " 3"]]] = {task: [] for task in EditTask}
    for name in sorted(first.keys() & second.keys()):
        (task, one), (_, two) = first[name], second[name]
        rows[task].append(two - one)
    return _Pair(
        values={task: np.array(values) for task, values in rows.items() if values},
        only_first=len(first.keys() - second.keys()),
        only_second=len(second.keys() - first.keys()),
    )


def _differences(
    first: str, second: str, pair: _Pair, *, language: CaseLanguage, subset: Subset
) -> tuple[PairedDifference, ...]:
    sizes = [len(rows) for rows in pair.values.values()]
    together = np.concatenate(list(pair.values.values()))
    macro = np.mean([rows.mean(axis=0) for rows in pair.values.values()], axis=0)
    drawn, p_values = resampled_means(pair.values), sign_flip_p_values(pair.values)
    signs = np.sign(np.where(np.abs(together) < ROUNDING, 0, together))
    return tuple(
        PairedDifference(
            first=first,
            second=second,
            language=language,
            subset=subset,
            metric=metric,
            cases=len(together),
            only_first=pair.only_first,
            only_second=pair.only_second,
            macro=Average(value=float(macro[place]), interval=interval(drawn.macro[:, place], cases=sizes)),
            sample=Average(
                value=float(together[:, place].mean()), interval=interval(drawn.sample[:, place], cases=sizes)
            ),
            wins=int((signs[:, place] > 0).sum()),
            ties=int((signs[:, place] == 0).sum()),
            losses=int((signs[:, place] < 0).sum()),
            p_value=float(p_values[place]),
            p_adjusted=float(p_values[place]),
        )
        for place, metric in enumerate(METRICS)
    )
