"""Edit gain: how much nearer to the known target an edit came than leaving the picture as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.errors import DataError

__all__ = ["LOWEST_GAIN", "GainSummary", "edit_gain", "summarised"]

Rgb = UInt8[np.ndarray, "height width 3"]
LOWEST_GAIN = -1.0
"""One case that went wrong counts as much as one that went right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GainSummary:
    """Edit gain over several cases."""

    mean: float
    median: float
    cases: int


def edit_gain(result: Rgb, *, reference: Rgb, target: Rgb, mask: Bool[np.ndarray, "height width"]) -> float:
    """Return 1 - (squared error of the result) / (squared error of the reference image), both against the target.

    Args:
        result: What an editor made.
        reference: What it was given.
        target: What was wanted.
        mask: Where the edit belongs; the rest does not count.

    Returns:
        1 for the target itself, 0 for the picture left as it was, -1 at least.

    Raises:
        DataError: Reference image and target are equal inside the mask, so that there is nothing to gain.
    """
    leaving = _squared_error(reference, target, mask)
    if leaving == 0:
        raise DataError(
            given="a reference image that equals the target inside the mask",
            expected="two pictures that differ there",
            remedy="Leave the case out; it asks for no change.",
        )
    return max(LOWEST_GAIN, 1 - _squared_error(result, target, mask) / leaving)


def _squared_error(first: Rgb, second: Rgb, mask: Bool[np.ndarray, "height width"]) -> int:
    difference = first[mask].astype(np.int64) - second[mask]
    return int((difference * difference).sum())


def summarised(gains: Sequence[float]) -> GainSummary | None:
    """Return mean and median of the gains of several cases, or None when there are none."""
    return GainSummary(mean=fmean(gains), median=median(gains), cases=len(gains)) if gains else None
