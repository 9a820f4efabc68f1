"""A run: the attempts that are missing → crew → shards; then time-outs once more, duplicates out, manifest sealed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from step1x_edit import __version__
from step1x_edit.data_engine.run.crew import Crew, Limits, Lost
from step1x_edit.data_engine.run.duplicates import drop_duplicates
from step1x_edit.data_engine.run.rejections import lost
from step1x_edit.data_engine.run.settings import RunSettings, shard_attempts
from step1x_edit.data_engine.run.worker import Maker
from step1x_edit.schema.triplet import Rejection
from step1x_edit.store import (
    EncodedTriplet,
    Manifest,
    Shard,
    ShardFacts,
    StoreInfo,
    load_arrow,
    locked,
    open_store,
    read_shard,
    read_store_info,
    seal_store,
    write_index,
    write_shard,
)

__all__ = ["Outcome", "Watcher", "build"]

Outcome = EncodedTriplet | Rejection
FALLEN = {"time": "It ran out of time: {}.", "death": "It took its process along, twice: the last one {}."}


class Watcher:
    """Hears how a run goes on; this one says nothing."""

    def begin(self, done: int, attempts: int) -> None:
        """Hear how many attempts are finished already, and how many there will be."""

    def outcome(self, outcome: Outcome) -> None:
        """Hear what an attempt gave."""


@dataclass(slots=True, kw_only=True)
class _OpenShard:
    """A shard that is being made."""

    number: int
    attempts: range
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    @property
    def missing(self) -> list[int]:
        return [one for one in self.attempts if one not in self.outcomes]

    def closed(self, settings: RunSettings) -> Shard:
        outcomes = [self.outcomes[one] for one in self.attempts]
        return Shard(
            number=self.number,
            first_attempt=self.attempts.start,
            attempts=len(self.attempts),
            split=settings.split,
            triplets=[one for one in outcomes if isinstance(one, EncodedTriplet)],
            rejections=[one for one in outcomes if isinstance(one, Rejection)],
        )


def build(
    folder: Path,
    *,
    settings: RunSettings,
    attempts: int,
    hire: Callable[[], Maker[Outcome]],
    workers: int = 1,
    limits: Limits | None = None,
    watcher: Watcher | None = None,
) -> Manifest:
    """Make a store of triplets, or go on with one; finished shards are not touched.

    Args:
        folder: Where the store is or will be.
        settings: Everything that decides what an attempt gives.
        attempts: How many attempts; each gives a triplet or a rejection.
        hire: Called in each worker, gives what makes an attempt; must be picklable.
        workers: Number of processes. Does not change what comes out.
        limits: What an attempt may take.
        watcher: Hears how it goes on.

    Returns:
        The sealed manifest.

    Raises:
        RequestError: The folder holds something else, other settings, or another build is writing there.
        DataError: The disk is full, or the workers cannot start.
        MissingExtra: A part is absent that a recipe cannot do without.
    """
    watcher = watcher or Watcher()
    with locked(folder), Crew(hire, workers=workers, limits=limits or Limits()) as crew:
        begun = open_store(
            folder,
            settings=settings.told(),
            pipeline_version=__version__,
            attempts=attempts,
            shard_attempts=shard_attempts(attempts),
        )
        info = read_store_info(folder)
        watcher.begin(info.attempts - info.retries, begun.attempts_wanted)
        for missing in (partial(_unfinished, begun), _out_of_time):
            made = _made(crew, missing(info), settings, watcher)
            info = info.renewed(_written(folder, (shard.closed(settings) for shard in made)))
        return seal_store(folder, indexed=_each_once(info, settings))


def _written(folder: Path, shards: Iterable[Shard]) -> Iterator[ShardFacts]:
    """Write shards while the next ones are made; yield what they say of themselves."""
    with ThreadPoolExecutor(max_workers=1) as writer:
        # A second of imports, in which the workers start as well.
        writer.submit(load_arrow)
        before = deque[Future[ShardFacts]]()
        for shard in shards:
            while before:
                yield before.popleft().result()
            before.append(writer.submit(write_shard, folder, shard))
        yield from (one.result() for one in before)


def _each_once(info: StoreInfo, settings: RunSettings) -> StoreInfo:
    """Write the index, take out what repeats earlier attempts, and write the index again if anything did."""
    write_index(info)
    single = info.renewed(drop_duplicates(info, near=not settings.near_duplicates))
    if single != info:
        write_index(single)
    return single


def _unfinished(begun: Manifest, info: StoreInfo) -> Iterator[_OpenShard]:
    """Yield the shards that are not there, or have fewer attempts than are wanted now."""
    there = {one.number: one.attempts for one in info.shards}
    for number, start in enumerate(range(0, begun.attempts_wanted, begun.shard_attempts)):
        attempts = range(start, min(start + begun.shard_attempts, begun.attempts_wanted))
        if there.get(number) != len(attempts):
            yield _OpenShard(number=number, attempts=attempts)


def _out_of_time(info: StoreInfo) -> Iterator[_OpenShard]:
    """Yield the shards with attempts that ran out of time, without those."""
    for facts in info.shards:
        if facts.retries:
            shard = read_shard(info.folder, facts)
            known = [*((one.record.provenance.attempt, one) for one in shard.triplets)]
            known += [(one.provenance.attempt, one) for one in shard.rejections if not one.retry]
            attempts = range(facts.first_attempt, facts.first_attempt + facts.attempts)
            yield _OpenShard(number=facts.number, attempts=attempts, outcomes=dict(known))


def _made(
    crew: Crew[Outcome], shards: Iterator[_OpenShard], settings: RunSettings, watcher: Watcher
) -> Iterator[_OpenShard]:
    """Yield shards as they are complete. Few are open at a time: attempts are handed out in order."""
    shard_of: dict[int, _OpenShard] = {}

    def wanted() -> Iterator[int]:
        for shard in shards:
            shard_of.update(dict.fromkeys(shard.missing, shard))
            yield from shard.missing

    for attempt, outcome in crew.run(wanted()):
        shard = shard_of.pop(attempt)
        shard.outcomes[attempt] = _fallen(settings, attempt, outcome) if isinstance(outcome, Lost) else outcome
        watcher.outcome(shard.outcomes[attempt])
        if not shard.missing:
            yield shard


def _fallen(settings: RunSettings, attempt: int, end: Lost) -> Rejection:
    reason = FALLEN[end.why].format(end.detail)
    return lost(settings, attempt, stage=end.why, reason=reason, retry=end.why == "time")
