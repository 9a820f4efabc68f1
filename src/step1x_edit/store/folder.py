"""The folder of a store: which shards are finished, and what they hold, read from footers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from step1x_edit.errors import DataError
from step1x_edit.schema.triplet import Split
from step1x_edit.store.columns import arrow
from step1x_edit.store.shard import FOOTER, PREFIXES, ShardFacts, rejections_path, summed, triplets_path

__all__ = ["StoreInfo", "finished_shards", "read_store_info", "shard_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """What a store holds by now."""

    folder: Path
    shards: tuple[ShardFacts, ...]
    """The finished ones, by number."""

    def renewed(self, facts: Iterable[ShardFacts]) -> StoreInfo:
        """Return what the store holds when some shards were written, for the first time or again."""
        shards = {one.number: one for one in (*self.shards, *facts)}
        return replace(self, shards=tuple(shards[number] for number in sorted(shards)))

    @property
    def attempts(self) -> int:
        """Attempts that are finished: triplets and rejections."""
        return sum(one.attempts for one in self.shards)

    @property
    def kept(self) -> dict[str, int]:
        """Triplets by task."""
        return dict(sum((Counter(one.kept) for one in self.shards), Counter()))

    @property
    def rejected(self) -> dict[str, dict[str, int]]:
        """Rejections by task and stage."""
        totals: dict[str, Counter[str]] = {}
        for shard in self.shards:
            for task, stages in shard.rejected.items():
                totals.setdefault(task, Counter()).update(stages)
        return {task: dict(stages) for task, stages in totals.items()}

    @property
    def retries(self) -> int:
        """Attempts that ran out of time and will be made again."""
        return sum(len(one.retries) for one in self.shards)

    @property
    def digest(self) -> str:
        """Sum of the hashes of all records but time-outs; independent of how they are spread over shards."""
        return summed(one.digest for one in self.shards)


def read_store_info(folder: Path) -> StoreInfo:
    """Read what a store holds.

    Raises:
        DataError: There is no store.
    """
    if not (folder / "triplets").is_dir():
        raise DataError(
            given=f"{folder}",
            expected="a store (a folder with `triplets/` and `rejections/`)",
            remedy="Check the path, or make one with `step1x data build`.",
        )
    return StoreInfo(folder=folder, shards=tuple(sorted(finished_shards(folder), key=lambda one: one.number)))


def finished_shards(folder: Path) -> Iterator[ShardFacts]:
    """Yield the facts of every shard whose two files are there and agree."""
    for path in sorted((folder / "triplets").glob("*.parquet")):
        prefix, _, number = path.stem.rpartition("-")
        split = next((one for one, name in PREFIXES.items() if name == prefix), None)
        if split is None or not number.isdecimal():
            continue
        facts = shard_facts(folder, int(number), cast(Split, split))
        if facts is not None:
            yield facts


def shard_facts(folder: Path, number: int, split: Split) -> ShardFacts | None:
    """Return what a shard says of itself, or None where it is not finished."""
    triplets, rejections = triplets_path(folder, number, split), rejections_path(folder, number)
    if not triplets.is_file() or not rejections.is_file():
        return None
    first, second = (_footer(path) for path in (triplets, rejections))
    return ShardFacts.model_validate_json(first) if first == second else None


def _footer(path: Path) -> bytes:
    pa = arrow()
    try:
        return (pa.parquet.read_schema(path).metadata or {})[FOOTER]
    except (KeyError, pa.ArrowInvalid) as error:
        raise DataError(
            given=f"{path}, which is no shard ({error})",
            expected="a Parquet file written by `step1x data build`",
            remedy="Delete the file and build again.",
        ) from error
