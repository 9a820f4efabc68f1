"""Duplicates: a triplet that two attempts made stays with the first, in whatever order they were made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from step1x_edit.data_engine.filters.duplicate import DuplicateWatch, Look
from step1x_edit.schema.triplet import EditTriplet, Rejection
from step1x_edit.store import ShardFacts, StoreInfo, read_index, read_shard, write_shard

__all__ = ["drop_duplicates"]

STAGE = "duplicate"
SAME = "An earlier attempt gave the same triplet."
ALIKE = "An earlier attempt gave the same triplet, or one of the same wish that looks the same."
WISH = ("aux.subject", "aux.detail", "aux.place")
COLUMNS = ("uid", "task", "subtask", "source.phash", "target.phash", *WISH, "provenance.sources", "provenance.attempt")


def drop_duplicates(info: StoreInfo, *, near: bool) -> Iterator[ShardFacts]:
    """Turn every triplet that repeats an earlier one into a rejection; shards without one are not touched.

    Args:
        info: What the store holds; its index is written.
        near: Whether a triplet also goes that looks like an earlier one of the same pictures and the same wish. Attempts
            behind one that ran out of time wait until that one is made.

    Yields:
        What the shards that were written again say of themselves.

    Raises:
        DataError: The disk is full.
    """
    doubled = set(_doubled(info, near=near))
    for facts in info.shards:
        if not doubled.isdisjoint(range(facts.first_attempt, facts.first_attempt + facts.attempts)):
            yield _without(info, facts, doubled, reason=ALIKE if near else SAME)


def _doubled(info: StoreInfo, *, near: bool) -> Iterator[int]:
    """Yield the attempts that repeat an earlier one."""
    late = [one for facts in info.shards for one in facts.retries]
    watch = DuplicateWatch(near_until=min(late, default=_end(info)) if near else 0)
    for row in read_index(info.folder, COLUMNS):
        look = _look(row)
        if watch.repeats(look) is not None:
            yield look.attempt


def _end(info: StoreInfo) -> int:
    return max((one.first_attempt + one.attempts for one in info.shards), default=0)


def _look(row: dict[str, Any]) -> Look:
    wish, made = row["aux"], row["provenance"]
    return Look(
        attempt=made["attempt"],
        uid=row["uid"],
        source=row["source"]["phash"],
        target=row["target"]["phash"],
        group=(row["task"], row["subtask"], *wish.values(), *sorted(made["sources"])),
    )


def _without(info: StoreInfo, facts: ShardFacts, doubled: set[int], *, reason: str) -> ShardFacts:
    shard = read_shard(info.folder, facts)
    kept = [one for one in shard.triplets if one.record.provenance.attempt not in doubled]
    gone = [one.record for one in shard.triplets if one.record.provenance.attempt in doubled]
    rejections = [*shard.rejections, *(_rejected(one, reason) for one in gone)]
    rejections.sort(key=lambda one: one.provenance.attempt)
    return write_shard(info.folder, replace(shard, triplets=kept, rejections=rejections))


def _rejected(record: EditTriplet, reason: str) -> Rejection:
    return Rejection(
        uid=record.uid,
        task=record.task,
        stage=STAGE,
        reason=reason,
        provenance=record.provenance,
        decisions=record.decisions,
    )
