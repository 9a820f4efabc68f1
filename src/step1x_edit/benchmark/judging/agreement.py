"""How far two judges agree on the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from step1x_edit.errors import DataError
from step1x_edit.schema.judged import JudgedCase

__all__ = ["Agreement", "Compared", "Figures", "Measure", "agreement"]

Measure = Literal["SC", "PQ", "O"]
_SCORES: dict[Measure, Callable[[JudgedCase], float | None]] = {
    "SC": lambda case: case.score("consistency"),
    "PQ": lambda case: case.score("quality"),
    "O": lambda case: case.overall,
}
DEVIATIONS = 1.96
"""Standard errors to either side of a mean for 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of the pictures that both judges scored."""

    mean_first: float
    mean_second: float
    shift: float
    """Mean of second minus first."""
    shift_interval: tuple[float, float] | None
    """95 %, from the standard error; None for a single picture."""
    mean_distance: float
    """Mean absolute difference."""
    within_one: float
    """Share of pictures whose scores are at most one apart."""
    pearson: float | None
    """Correlation, -1..1; None where either judge gave all pictures the same score."""
    spearman: float | None
    """The same of ranks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One score under two judges."""

    measure: Measure
    both: int
    only_first: int
    only_second: int
    neither: int
    figures: Figures | None
    """None where no picture was scored by both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two judges side by side."""

    same_pictures: int
    """Cases of which both saw the same pictures and words."""
    other_pictures: int
    """Cases of which they saw different ones; left out."""
    only_in_one: int
    """Cases that only one of the logs has."""
    measures: tuple[Compared, ...]
    """SC, PQ and O."""


def agreement(first: Iterable[JudgedCase], second: Iterable[JudgedCase]) -> Agreement:
    """Compare two judges' logs.

    Raises:
        DataError: They have no picture in common.
    """
    ones, others = ({str(case.case): case for case in cases} for cases in (first, second))
    shared = [(ones[name], others[name]) for name in ones if name in others]
    same = [(one, other) for one, other in shared if one.edited_sha256 and _shown(one) == _shown(other)]
    pictured = [pair for pair in shared if pair[0].edited_sha256 or pair[1].edited_sha256]
    if not same:
        raise DataError(
            given="two logs without a picture in common",
            expected="two judges of the same pictures",
            remedy="Judge one editor's folder twice, with another judge or other settings each time.",
        )
    return Agreement(
        same_pictures=len(same),
        other_pictures=len(pictured) - len(same),
        only_in_one=len(ones) + len(others) - 2 * len(shared),
        measures=tuple(_compared(measure, same) for measure in _SCORES),
    )


def _shown(case: JudgedCase) -> tuple[str, str, str | None]:
    return case.instruction, case.source_sha256, case.edited_sha256


def _compared(measure: Measure, pairs: Sequence[tuple[JudgedCase, JudgedCase]]) -> Compared:
    score = _SCORES[measure]
    scores = [(score(one), score(other)) for one, other in pairs]
    both = np.array([(a, b) for a, b in scores if a is not None and b is not None], dtype=np.float64).reshape(-1, 2)
    return Compared(
        measure=measure,
        both=len(both),
        only_first=sum(a is not None and b is None for a, b in scores),
        only_second=sum(a is None and b is not None for a, b in scores),
        neither=sum(a is None and b is None for a, b in scores),
        figures=_figures(both) if len(both) else None,
    )


def _figures(both: Float64[np.ndarray, "pictures 2"]) -> Figures:
    first, second = both.T
    difference = second - first
    shift = float(difference.mean())
    reach = DEVIATIONS * float(difference.std(ddof=1)) / len(both) ** 0.5 if len(both) > 1 else None
    return Figures(
        mean_first=float(first.mean()),
        mean_second=float(second.mean()),
        shift=shift,
        shift_interval=None if reach is None else (shift - reach, shift + reach),
        mean_distance=float(np.abs(difference).mean()),
        within_one=float((np.abs(difference) <= 1).mean()),
        pearson=_correlation(first, second),
        spearman=_correlation(_ranks(first), _ranks(second)),
    )


def _correlation(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]) -> float | None:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Return ranks; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
