"""The index: all triplets of a store in one table without pictures, for queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from step1x_edit.schema.triplet import EditTriplet
from step1x_edit.store.columns import arrow, index_schema
from step1x_edit.store.folder import StoreInfo
from step1x_edit.store.shard import triplets_path, written_whole

__all__ = ["INDEX", "read_index", "write_index"]

INDEX = "index.parquet"
ROW_GROUP = 4096


def write_index(info: StoreInfo) -> None:
    """Write ``index.parquet``: the columns of all triplets but pictures and masks, and where each of them lies.

    Raises:
        DataError: The disk is full.
    """
    pa, schema = arrow(), index_schema()
    columns = [name for name in schema.names if name in EditTriplet.model_fields]
    with written_whole(info.folder / INDEX) as part, pa.parquet.ParquetWriter(part, schema, compression="zstd") as file:
        for facts in info.shards:
            path = triplets_path(info.folder, facts.number, facts.split)
            with pa.parquet.ParquetFile(path) as shard:
                table = shard.read(columns=columns, use_threads=False)
            where = [[path.relative_to(info.folder).as_posix()] * len(table), range(len(table))]
            file.write_table(pa.table([*table.columns, *where], schema=schema), row_group_size=ROW_GROUP)


def read_index(folder: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield rows of the index in the order of attempts.

    Args:
        folder: The store, whose index is written.
        columns: Names of columns; a dot leads to a part of one, as in ``source.phash``.
    """
    with arrow().parquet.ParquetFile(folder / INDEX) as file:
        for batch in file.iter_batches(columns=list(columns), batch_size=ROW_GROUP):
            yield from batch.to_pylist()
