"""Reading a store: triplets with their pictures, records alone, rejections; in the order of attempts, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.measures.masks import decode_mask
from step1x_edit.schema.triplet import EditTriplet, Rejection
from step1x_edit.store.columns import PICTURES, arrow
from step1x_edit.store.folder import read_store_info
from step1x_edit.store.picture_codec import decode_picture
from step1x_edit.store.shard import ROW_GROUP, EncodedTriplet, Shard, ShardFacts, rejections_path, triplets_path

__all__ = [
    "StoredTriplet",
    "read_encoded",
    "read_records",
    "read_rejections",
    "read_shard",
    "read_triplets",
    "read_uids",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTriplet:
    """A triplet with its pixels."""

    record: EditTriplet
    reference: UInt8[np.ndarray, "height width 3"]
    target: UInt8[np.ndarray, "height width 3"]
    mask: Bool[np.ndarray, "height width"]
    """True where the target may differ from the reference."""


def read_triplets(folder: Path) -> Iterator[StoredTriplet]:
    """Yield the triplets of a store in the order of attempts.

    Raises:
        DataError: There is no store, or a picture in it is damaged.
        MissingExtra: pyarrow is not installed.
    """
    for one in read_encoded(folder):
        yield StoredTriplet(
            record=one.record,
            reference=decode_picture(one.reference),
            target=decode_picture(one.target),
            mask=decode_mask(one.record.mask),
        )


def read_encoded(folder: Path) -> Iterator[EncodedTriplet]:
    """Yield the triplets of a store with their pictures as the files they are.

    Raises:
        DataError: There is no store.
    """
    for facts in read_store_info(folder).shards:
        yield from _shard_triplets(folder, facts)


def read_records(folder: Path) -> Iterator[EditTriplet]:
    """Yield the records of a store's triplets; their pictures are not read.

    Raises:
        DataError: There is no store.
    """
    for facts in read_store_info(folder).shards:
        path = triplets_path(folder, facts.number, facts.split)
        for row in _rows(path, columns=list(EditTriplet.model_fields)):
            yield EditTriplet.model_validate(row)


def read_rejections(folder: Path) -> Iterator[Rejection]:
    """Yield the rejections of a store in the order of attempts.

    Raises:
        DataError: There is no store.
    """
    for facts in read_store_info(folder).shards:
        for row in _rows(rejections_path(folder, facts.number)):
            yield Rejection.model_validate(row)


def read_shard(folder: Path, facts: ShardFacts) -> Shard:
    """Read one shard as it was written."""
    return Shard(
        number=facts.number,
        first_attempt=facts.first_attempt,
        attempts=facts.attempts,
        split=facts.split,
        triplets=list(_shard_triplets(folder, facts)),
        rejections=[Rejection.model_validate(row) for row in _rows(rejections_path(folder, facts.number))],
    )


def read_uids(folder: Path, facts: ShardFacts) -> list[str]:
    """Read the uids of a shard's triplets."""
    return [row["uid"] for row in _rows(triplets_path(folder, facts.number, facts.split), columns=["uid"])]


def _shard_triplets(folder: Path, facts: ShardFacts) -> Iterator[EncodedTriplet]:
    for row in _rows(triplets_path(folder, facts.number, facts.split)):
        reference, target = (row.pop(name)["bytes"] for name in PICTURES)
        yield EncodedTriplet(record=EditTriplet.model_validate(row), reference=reference, target=target)


def _rows(path: Path, *, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    with arrow().parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROW_GROUP, columns=columns):
            yield from batch.to_pylist()
