"""Suites: so many held-out cases of each task, made by the engine from pictures that training never sees."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from step1x_edit import __version__
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.run.asked_tasks import parse_tasks
from step1x_edit.data_engine.run.hire import Hire, fingerprint, parts_at_hand
from step1x_edit.data_engine.run.settings import RunSettings
from step1x_edit.errors import DataError, RequestError
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Rejection
from step1x_edit.store import EncodedTriplet, Manifest, Shard, open_store, seal_store, write_shard

__all__ = ["SuitePlan", "build_suite", "suite_plan", "suite_plans"]

MOST_TRIES = 60
"""Attempts for one case, on average, before a suite is given up."""

MOST_ALIKE = 2
"""Cases of one task that may be made of the very same pictures: few held-out photographs have a subject of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitePlan:
    """What a suite holds."""

    name: str
    cases: int
    """Of each task."""
    size: int
    """Side of the square pictures, in pixels."""
    seed: int
    permissive_only: bool
    """Only pictures whose licence lets them be passed on."""
    photographic: bool
    """Whether composed scenes are to look like photographs."""
    seen_objects: bool
    """Whether its objects are those of training, each edit's new one in the look that nano's lessons show."""
    digest: str
    """Hash of the manifest it must come to; "" where not settled."""


def suite_plans() -> dict[str, SuitePlan]:
    """Read the plans (``suites.toml``)."""
    table = tomllib.loads(Path(__file__).with_name("suites.toml").read_text(encoding="utf-8"))
    return {name: SuitePlan(name=name, **entry) for name, entry in table.items()}


def suite_plan(name: str) -> SuitePlan:
    """Return a plan by name.

    Raises:
        RequestError: There is none of this name.
    """
    plans = suite_plans()
    if name not in plans:
        raise RequestError(
            given=f"the suite {name!r}", expected=f"one of {', '.join(plans)}", remedy="Choose one of these."
        )
    return plans[name]


def build_suite(
    plan: SuitePlan, folder: Path, *, pool: Path, parts: Path | None = None, progress: Callable[[int, int], None]
) -> Manifest:
    """Make a suite.

    Args:
        plan: What it holds.
        folder: Where the store goes; new or empty.
        pool: Folder of the pool.
        parts: Folder of the experts' parts.
        progress: Told the cases done and to do.

    Returns:
        The store's manifest.

    Raises:
        DataError: The pool does not give enough cases of some task.
        RequestError: The folder holds something else.
    """
    pictures = Pool.open(pool)
    settings = RunSettings(
        tasks=parse_tasks("all"),
        size=plan.size,
        seed=plan.seed,
        split="held_out",
        permissive_only=plan.permissive_only,
        photographic=plan.photographic,
        seen_objects=plan.seen_objects,
        sources=fingerprint(pictures),
        experts=parts_at_hand(parts),
    )
    triplets, rejections = _attempts(plan, settings, Hire(pool=pool, settings=settings, parts=parts), progress)
    attempts = len(triplets) + len(rejections)
    # Settings at their defaults are left out: a suite stays the same suite when runs learn a new one.
    told = settings.model_dump(mode="json", exclude_defaults=True)
    open_store(folder, settings=told, pipeline_version=__version__, attempts=attempts, shard_attempts=attempts)
    shard = Shard(
        number=0,
        first_attempt=0,
        attempts=attempts,
        split="held_out",
        triplets=triplets,
        rejections=rejections,
    )
    write_shard(folder, shard)
    return seal_store(folder)


def _attempts(
    plan: SuitePlan, settings: RunSettings, hire: Hire, progress: Callable[[int, int], None]
) -> tuple[list[EncodedTriplet], list[Rejection]]:
    """Make attempts in order until every task has its cases; attempts of a task that has them are left out."""
    make = hire()
    triplets: list[EncodedTriplet] = []
    rejections: list[Rejection] = []
    kept, seen, alike = Counter[EditTask](), set[str](), Counter[tuple[str, ...]]()
    wanted = plan.cases * len(settings.tasks)
    for attempt in range(MOST_TRIES * wanted):
        if len(triplets) == wanted:
            return triplets, rejections
        if kept[settings.task(attempt)] == plan.cases:
            continue
        outcome = make(attempt)
        if isinstance(outcome, Rejection):
            rejections.append(outcome)
            continue
        record, pictures = outcome.record, (outcome.record.task.value, *outcome.record.provenance.sources)
        if record.uid not in seen and alike[pictures] < MOST_ALIKE:
            seen.add(record.uid)
            alike[pictures] += 1
            kept[record.task] += 1
            triplets.append(outcome)
            progress(len(triplets), wanted)
    lacking = [f"{one.task.value} {kept[one.task]}" for one in settings.tasks if kept[one.task] < plan.cases]
    raise DataError(
        given=f"a pool that gave too few held-out cases ({', '.join(lacking)})",
        expected=f"{plan.cases} of each task",
        remedy="Add pictures with `step1x data sources`, and parts with `step1x data setup`.",
    )
