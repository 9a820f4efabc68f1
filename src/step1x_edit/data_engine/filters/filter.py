"""What a filter is: a small named object that looks at one pair and says yes, no, or "not run"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from step1x_edit.data_engine.pair import EditPair
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.schema.triplet import Decision, Scores

__all__ = ["Filter", "Judged"]


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


class Filter(Protocol):
    """One check of a pair."""

    name: str
    """As it stands in decisions, reports and rejections."""

    def decide(self, pair: EditPair, experts: ExpertSet) -> Decision:
        """Look at a pair. A filter whose expert is absent returns ``passed=None`` with the reason."""
        ...
