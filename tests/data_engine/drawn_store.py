"""A finished store made from the drawn pool in this process: some triplets of each of three tasks, and the rest rejected."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from drawn_experts import DrawnExperts
from drawn_pool import drawn_pool

from step1x_edit import __version__
from step1x_edit.data_engine.filters.chain import chain, judge
from step1x_edit.data_engine.run.attempt import AttemptMaker
from step1x_edit.data_engine.run.settings import RunSettings, TaskShare
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Rejection
from step1x_edit.store import EncodedTriplet, Manifest, Shard, open_store, seal_store, write_shard

TASKS = (EditTask.SUBJECT_ADDITION, EditTask.COLOUR_ALTERATION, EditTask.TONE_TRANSFORMATION)
SIZE, ATTEMPTS, SHARD = 128, 12, 6
SETTINGS = RunSettings(tasks=tuple(TaskShare(task=task) for task in TASKS), size=SIZE, seed=0, photographic=False)


def drawn_store(folder: Path, *, sealed: bool = True) -> Manifest:
    """Write the store, in two shards; the same each time."""
    begun = open_store(
        folder, settings=SETTINGS.told(), pipeline_version=__version__, attempts=ATTEMPTS, shard_attempts=SHARD
    )
    for number in range(ATTEMPTS // SHARD):
        made = outcomes()[number * SHARD : (number + 1) * SHARD]
        shard = Shard(
            number=number,
            first_attempt=number * SHARD,
            attempts=SHARD,
            split="train",
            triplets=[one for one in made if isinstance(one, EncodedTriplet)],
            rejections=[one for one in made if isinstance(one, Rejection)],
        )
        write_shard(folder, shard)
    return seal_store(folder) if sealed else begun


@cache
def outcomes() -> list[EncodedTriplet | Rejection]:
    """The attempts, made once."""
    maker = AttemptMaker(
        drawn_pool(),
        SETTINGS,
        experts=DrawnExperts(),
        judge=lambda pair, experts: judge(pair, experts, filters=chain(pair.task, smallest_px=SIZE)),
    )
    return [maker(attempt) for attempt in range(ATTEMPTS)]
