"""What a filter is: a small named object that looks at one pair and says yes, no, or "not run"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from step1x_edit.data_engine.pair import EditPair
from step1x_edit.experts.expert_set import ExpertName, ExpertSet
from step1x_edit.schema.triplet import Decision, Scores

__all__ = ["Filter", "Judged", "absent", "bounded", "not_run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What all filters said about a pair."""

    decisions: tuple[Decision, ...]
    """In the order the filters ran; the first failure is the last one that ran."""
    scores: Scores

    @property
    def failure(self) -> Decision | None:
        """The decision that rejects the pair, if one does."""
        return next((one for one in self.decisions if one.passed is False), None)


@runtime_checkable
class Filter(Protocol):
    """One check of a pair."""

    name: ClassVar[str]
    """As it stands in decisions, reports, rejections and ``thresholds.toml``."""

    def decide(self, pair: EditPair, experts: ExpertSet | None, /) -> Decision:
        """Look at a pair. A filter whose expert is absent returns ``passed=None`` with the reason."""
        ...


def bounded(
    name: str, value: float | None, *, what: str, at_least: float | None = None, at_most: float | None = None
) -> Decision:
    """Decide by one number between bounds; where there is no number, the filter has nothing to say.

    Args:
        name: The filter.
        value: What was measured, or None.
        what: The measured thing as the subject of a sentence ("The changed area").
        at_least: Smallest value that passes.
        at_most: Largest value that passes.
    """
    if value is None:
        return not_run(name, f"{what} cannot be measured here.")
    if at_least is not None and value < at_least:
        reason = f"{what} is {value:.3g}, less than {at_least:g}."
        return Decision(filter=name, passed=False, value=value, threshold=at_least, reason=reason)
    if at_most is not None and value > at_most:
        reason = f"{what} is {value:.3g}, more than {at_most:g}."
        return Decision(filter=name, passed=False, value=value, threshold=at_most, reason=reason)
    return Decision(filter=name, passed=True, value=value, threshold=at_most if at_least is None else at_least)


def not_run(name: str, reason: str) -> Decision:
    """Say that a filter did not look, and why."""
    return Decision(filter=name, passed=None, reason=reason)


def absent(name: str, expert: ExpertName) -> Decision:
    """Say that a filter did not look because its expert is absent."""
    return not_run(name, f"The expert {expert} is absent.")
