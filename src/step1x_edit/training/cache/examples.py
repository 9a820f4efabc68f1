"""The cached examples of a run, in the order of their sources; read one by one when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from step1x_edit.training.cache.shard import Shard
from step1x_edit.training.examples import EncodedExample
from step1x_edit.training.sampler import ExampleTable

__all__ = ["CacheIndex", "CachedExamples"]

SUFFIX = ".safetensors"


class CacheIndex:
    """Which examples a cache folder holds, and where.

    Args:
        folder: Folder of the shards of one way of encoding.

    Raises:
        DataError: A shard is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.shards = [Shard(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
        self._places = {
            key: (number, row) for number, shard in enumerate(self.shards) for row, key in enumerate(shard.keys)
        }

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def place(self, key: bytes) -> tuple[int, int]:
        """Return number of the shard and row of an example."""
        return self._places[key]


class CachedExamples(Sequence[EncodedExample]):
    """Examples by number.

    Args:
        index: The cache.
        keys: What is wanted, in order.
        sources: Number of the source that each comes from.
        names: Where each comes from, in words.
    """

    def __init__(self, index: CacheIndex, keys: Sequence[bytes], sources: Sequence[int], names: Sequence[str]) -> None:
        self.names = names
        self._shards = index.shards
        self._places = np.array([index.place(key) for key in keys], dtype=np.int64).reshape(-1, 2)
        shards = self._places[:, 0]
        self.table = ExampleTable(
            rows=np.array([shard.rows for shard in self._shards], dtype=np.int64)[shards],
            columns=np.array([shard.columns for shard in self._shards], dtype=np.int64)[shards],
            with_reference=np.array([shard.with_reference for shard in self._shards], dtype=bool)[shards],
            source=np.array(sources, dtype=np.int64),
            keys=b"".join(keys),
        )

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> EncodedExample:  # pyright: ignore[reportIncompatibleMethodOverride] - no slices
        shard, row = self._places[index].tolist()
        return self._shards[shard].example(row)
