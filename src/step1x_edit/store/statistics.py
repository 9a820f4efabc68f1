"""What a store holds, counted in one pass over its records: licences, filters, sources. No picture is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from step1x_edit.schema.triplet import Decision, EditTriplet, Provenance, Rejection
from step1x_edit.store.reading import read_records, read_rejections

__all__ = ["FilterCount", "StoreStatistics", "count_store"]


@dataclass(slots=True, kw_only=True)
class FilterCount:
    """How often a filter let pairs of a task pass."""

    passed: int = 0
    failed: int = 0
    not_run: int = 0
    thresholds: set[float] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class StoreStatistics:
    """Counts over all records of a store."""

    triplets: Counter[str] = field(default_factory=Counter)
    """By task."""
    stages: dict[str, Counter[str]] = field(default_factory=dict)
    """Rejections by task and stage; "" for sources that could not be used."""
    filters: dict[str, dict[str, FilterCount]] = field(default_factory=dict)
    """By task and filter, in the order they ran."""
    licences: Counter[str] = field(default_factory=Counter)
    """Triplets in which a picture of this licence is."""
    authors: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    """Ids of the pictures in triplets."""
    parts: set[tuple[str, str]] = field(default_factory=set)
    """Parts that made triplets, with their versions."""
    permissive: int = 0
    """Triplets that may be passed on with a notice."""

    @property
    def tasks(self) -> list[str]:
        """Tasks that were attempted."""
        return sorted({*self.triplets, *(task for task in self.stages if task)})

    def attempts(self, task: str) -> int:
        """Return how often a task was attempted."""
        return self.triplets[task] + sum(self.stages.get(task, {}).values())


def count_store(folder: Path) -> StoreStatistics:
    """Count what a store holds.

    Raises:
        DataError: There is no store.
    """
    counts = StoreStatistics()
    for record in read_records(folder):
        _add_triplet(counts, record)
    for rejection in read_rejections(folder):
        _add_rejection(counts, rejection)
    return counts


def _add_triplet(counts: StoreStatistics, record: EditTriplet) -> None:
    counts.triplets[record.task.value] += 1
    counts.permissive += record.provenance.permissive
    _add_provenance(counts, record.provenance)
    _add_decisions(counts, record.task.value, record.decisions)


def _add_rejection(counts: StoreStatistics, rejection: Rejection) -> None:
    task = rejection.task.value if rejection.task else ""
    counts.stages.setdefault(task, Counter())[rejection.stage] += 1
    _add_decisions(counts, task, rejection.decisions)


def _add_provenance(counts: StoreStatistics, provenance: Provenance) -> None:
    counts.licences.update(provenance.licences)
    counts.authors.update(provenance.authors)
    counts.sources.update(provenance.sources)
    counts.parts.update((stage.part, stage.version) for stage in provenance.stages)


def _add_decisions(counts: StoreStatistics, task: str, decisions: Iterable[Decision]) -> None:
    filters = counts.filters.setdefault(task, {})
    for one in decisions:
        count = filters.setdefault(one.filter, FilterCount())
        count.passed += one.passed is True
        count.failed += one.passed is False
        count.not_run += one.passed is None
        if one.threshold is not None:
            count.thresholds.add(one.threshold)
