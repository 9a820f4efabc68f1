"""Duplicates: the same triplet made by two attempts stays with the first, in whatever order they were made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from step1x_edit.schema.triplet import EditTriplet, Rejection
from step1x_edit.store import ShardFacts, read_shard, read_store_info, read_uids, write_shard

__all__ = ["drop_duplicates"]

STAGE = "duplicate"


def drop_duplicates(folder: Path) -> None:
    """Turn every triplet whose uid an earlier attempt has into a rejection; shards without one are not touched.

    Raises:
        DataError: The disk is full.
    """
    seen: set[str] = set()
    for facts in read_store_info(folder).shards:
        uids = read_uids(folder, facts)
        if len(seen.union(uids)) < len(seen) + len(uids):
            _without(folder, facts, seen)
        seen.update(uids)


def _without(folder: Path, facts: ShardFacts, seen: set[str]) -> None:
    shard, taken, kept, doubled = read_shard(folder, facts), set(seen), [], []
    for one in shard.triplets:
        if one.record.uid in taken:
            doubled.append(_rejected(one.record))
        else:
            taken.add(one.record.uid)
            kept.append(one)
    rejections = sorted([*shard.rejections, *doubled], key=lambda one: one.provenance.attempt)
    write_shard(folder, replace(shard, triplets=kept, rejections=rejections))


def _rejected(record: EditTriplet) -> Rejection:
    return Rejection(
        uid=record.uid,
        task=record.task,
        stage=STAGE,
        reason="An earlier attempt gave the same triplet.",
        provenance=record.provenance,
        decisions=record.decisions,
    )
