"""Counts of a store as words and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

__all__ = ["task_table", "top_reasons"]

HEADINGS = ("task", "attempts", "kept", "share", "most often rejected by")


def task_table(kept: Mapping[str, int], rejected: Mapping[str, Mapping[str, int]]) -> str:
    """Return a plain table of what was kept of each task, for a terminal."""
    rows = [HEADINGS, *(_row(task, kept, rejected) for task in sorted({*kept, *rejected}))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def top_reasons(rejected: Mapping[str, Mapping[str, int]], *, most: int = 3) -> str:
    """Return the stages that rejected most, over all tasks, with their counts."""
    total: Counter[str] = Counter()
    for stages in rejected.values():
        total.update(stages)
    return ", ".join(f"{stage} {number}" for stage, number in total.most_common(most)) or "nothing"


def _row(task: str, kept: Mapping[str, int], rejected: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    passed, stages = kept.get(task, 0), rejected.get(task, {})
    attempts = passed + sum(stages.values())
    reasons = top_reasons({task: stages}) if stages else ""
    return task or "(no task)", str(attempts), str(passed), f"{passed / attempts:.0%}", reasons
