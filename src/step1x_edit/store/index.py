"""The index: all triplets of a store in one table without pictures, for queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from step1x_edit.schema.triplet import EditTriplet
from step1x_edit.store.columns import arrow, index_schema
from step1x_edit.store.folder import StoreInfo
from step1x_edit.store.shard import ShardFacts, triplets_path, written_whole

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["INDEX", "read_index", "write_index"]

INDEX = "index.parquet"
ROW_GROUP = 4096
"""Least rows of a group but the last: readers skip groups, and each costs as much as a hundred rows."""


def write_index(info: StoreInfo) -> None:
    """Write ``index.parquet``: the columns of all triplets but pictures and masks, and where each of them lies.

    Raises:
        DataError: The disk is full.
    """
    pa = arrow()
    with (
        written_whole(info.folder / INDEX) as part,
        pa.parquet.ParquetWriter(part, index_schema(), compression="zstd") as file,
    ):
        waiting: list[pa.Table] = []
        for facts in info.shards:
            waiting.append(_rows_of(info.folder, facts))
            if sum(map(len, waiting)) >= ROW_GROUP:
                file.write_table(pa.concat_tables(waiting))
                waiting.clear()
        if waiting:
            file.write_table(pa.concat_tables(waiting))


def _rows_of(folder: Path, facts: ShardFacts) -> pa.Table:
    pa, schema = arrow(), index_schema()
    path = triplets_path(folder, facts.number, facts.split)
    with pa.parquet.ParquetFile(path) as shard:
        columns = [name for name in schema.names if name in EditTriplet.model_fields]
        table = shard.read(columns=columns, use_threads=False)
    where = [[path.relative_to(folder).as_posix()] * len(table), range(len(table))]
    return pa.table([*table.columns, *where], schema=schema)


def read_index(folder: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield rows of the index in the order of attempts.

    Args:
        folder: The store, whose index is written.
        columns: Names of columns; a dot leads to a part of one, as in ``source.phash``.
    """
    with arrow().parquet.ParquetFile(folder / INDEX) as file:
        for batch in file.iter_batches(columns=list(columns), batch_size=ROW_GROUP):
            yield from batch.to_pylist()
