"""One shard: the triplets and rejections of a run of attempts, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, ConfigDict

from step1x_edit.errors import DataError
from step1x_edit.schema.triplet import EditTriplet, Rejection, Split
from step1x_edit.store.columns import PICTURES, arrow, compression, rejection_schema, triplet_schema
from step1x_edit.store.picture_codec import SUFFIX, encode_picture

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "FOOTER",
    "EncodedTriplet",
    "Shard",
    "ShardFacts",
    "digest_of",
    "disk_errors",
    "encode_triplet",
    "rejections_path",
    "summed",
    "triplets_path",
    "write_shard",
    "written_whole",
]

FOOTER = b"step1x_edit"
"""Key of the facts in the metadata of a shard's files."""
PREFIXES: dict[Split, str] = {"train": "train", "held_out": "test"}
"""``datasets`` names a split after the word its files begin with."""
ROW_GROUP = 32
"""Rows a reader holds at a time; viewers ask for small groups where rows hold pictures."""
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_UNTOLD = {"seconds"}
"""Fields that differ from run to run and are left out of every hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedTriplet:
    """A triplet whose pictures are files already."""

    record: EditTriplet
    reference: bytes
    target: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """What a run of attempts gave."""

    number: int
    """From 0; names the files."""
    first_attempt: int
    attempts: int
    split: Split
    triplets: Sequence[EncodedTriplet]
    """In the order of attempts."""
    rejections: Sequence[Rejection]


class ShardFacts(BaseModel):
    """What a shard says of itself, in the footers of both its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    first_attempt: int
    attempts: int
    split: Split
    kept: dict[str, int]
    """Triplets by task."""
    rejected: dict[str, dict[str, int]]
    """Rejections by task ("" for a source that could not be used) and stage, time-outs included."""
    retries: tuple[int, ...]
    """Attempts that ran out of time and are made again later."""
    digest: str
    """Sum of the hashes of all records but time-outs, 64 hexadecimal digits."""


def encode_triplet(
    record: EditTriplet,
    *,
    reference: UInt8[np.ndarray, "height width 3"],
    target: UInt8[np.ndarray, "height width 3"],
) -> EncodedTriplet:
    """Encode the pictures of a triplet."""
    return EncodedTriplet(record=record, reference=encode_picture(reference), target=encode_picture(target))


def triplets_path(folder: Path, number: int, split: Split) -> Path:
    """Return where the triplets of a shard lie."""
    return folder / "triplets" / f"{PREFIXES[split]}-{number:05}.parquet"


def rejections_path(folder: Path, number: int) -> Path:
    """Return where the rejections of a shard lie."""
    return folder / "rejections" / f"{number:05}.parquet"


def write_shard(folder: Path, shard: Shard) -> ShardFacts:
    """Write a shard's two files. A shard counts as finished when both are there and say the same of themselves.

    Raises:
        DataError: Triplets and rejections do not add up to the attempts, or the disk is full.
    """
    if len(shard.triplets) + len(shard.rejections) != shard.attempts:
        raise DataError(
            given=f"{len(shard.triplets)} triplets and {len(shard.rejections)} rejections",
            expected=f"{shard.attempts} records, one for each attempt",
            remedy="Each attempt must end in one of the two.",
        )
    facts = _facts(shard)
    # Rejections first: without its triplets a shard is made again.
    _write(rejections_path(folder, shard.number), _rejection_table(shard.rejections), facts)
    _write(triplets_path(folder, shard.number, shard.split), _triplet_table(shard.triplets), facts)
    return facts


def digest_of(records: Iterable[EditTriplet | Rejection]) -> str:
    """Return the sum of the records' SHA-256 hashes modulo 2^256, as 64 hexadecimal digits.

    A sum, so that it does not depend on how records are spread over shards. Seconds and time-outs are left out;
    pictures and masks are in, by the hashes and runs in the records.
    """
    return summed(_hash(record) for record in records if not (isinstance(record, Rejection) and record.retry))


def summed(digests: Iterable[str]) -> str:
    """Add up digests modulo 2^256."""
    return f"{sum(int(one, 16) for one in digests) % (1 << 256):064x}"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a name to write to in the same folder; it takes the place of ``path`` when the block ends well.

    Raises:
        DataError: The disk is full, or a file may not grow so large.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Say in one sentence that the disk is full.

    Raises:
        DataError: It is, or a file may not grow so large.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise DataError(
            given=f"{path}, for which the disk has no room left ({os.strerror(error.errno or 0)})",
            expected="room for one more file",
            remedy="Free some room and run the same command again; every finished file is kept.",
        ) from error


def _facts(shard: Shard) -> ShardFacts:
    records = [one.record for one in shard.triplets]
    rejected: dict[str, Counter[str]] = {}
    for one in shard.rejections:
        rejected.setdefault(one.task or "", Counter())[one.stage] += 1
    return ShardFacts(
        number=shard.number,
        first_attempt=shard.first_attempt,
        attempts=shard.attempts,
        split=shard.split,
        kept=dict(Counter(record.task.value for record in records)),
        rejected={task: dict(stages) for task, stages in rejected.items()},
        retries=tuple(one.provenance.attempt for one in shard.rejections if one.retry),
        digest=digest_of([*records, *shard.rejections]),
    )


def _hash(record: EditTriplet | Rejection) -> str:
    told = json.dumps(_told(record.model_dump(mode="json")), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _told(part) for name, part in value.items() if name not in _UNTOLD}
    return [_told(part) for part in value] if isinstance(value, list) else value


def _triplet_table(triplets: Sequence[EncodedTriplet]) -> pa.Table:
    rows = []
    for one in triplets:
        pictures = {
            name: {"bytes": data, "path": f"{one.record.uid}-{name.removesuffix('_image')}.{SUFFIX}"}
            for name, data in zip(PICTURES, (one.reference, one.target), strict=True)
        }
        rows.append(one.record.model_dump(mode="json") | pictures)
    return arrow().Table.from_pylist(rows, schema=triplet_schema())


def _rejection_table(rejections: Sequence[Rejection]) -> pa.Table:
    rows = [one.model_dump(mode="json") for one in rejections]
    return arrow().Table.from_pylist(rows, schema=rejection_schema())


def _write(path: Path, table: pa.Table, facts: ShardFacts) -> None:
    metadata = {**(table.schema.metadata or {}), FOOTER: facts.model_dump_json().encode()}
    codecs = compression(table.schema)
    with written_whole(path) as part:
        # Pictures neither repeat nor shrink: a dictionary or statistics of them would only cost time.
        arrow().parquet.write_table(
            table.replace_schema_metadata(metadata),
            part,
            row_group_size=ROW_GROUP,
            compression=codecs,
            compression_level=dict.fromkeys(codecs, 1),
            use_dictionary=False,
            write_statistics=False,
        )
