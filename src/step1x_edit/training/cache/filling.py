"""Filling the cache: every pair with every instruction is encoded once, ever.

A cache is a folder with one sub-folder for each way of encoding (weights, conventions, number format); in it lie shards. A
shard is written whole, so whatever ends a run, the next one encodes only what no finished shard holds.
"""

from __future__ import annotations

import gc
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from step1x_edit.errors import DataError
from step1x_edit.store.lock import locked
from step1x_edit.training.buckets import framed
from step1x_edit.training.cache.encoders import ReleaseEncoders
from step1x_edit.training.cache.encoding import WantedPair, encode_pairs
from step1x_edit.training.cache.examples import SUFFIX, CachedExamples, CacheIndex
from step1x_edit.training.cache.shard import KeyedExample, write_shard
from step1x_edit.training.cache.wanting import MissingPair, want
from step1x_edit.training.pairs.pair import Language, PairSource

__all__ = ["LARGEST_SHARD", "CacheProgress", "fill_cache"]

LARGEST_SHARD = 512 << 20
"""Bytes."""
_LONGEST_WAIT = 120.0
"""Seconds after which a shard is written even if it is small: what a kill costs at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheProgress:
    """How far the filling is."""

    stage: Literal["reading", "encoding"]
    """Pairs are looked at and hashed first, then those that are new are encoded."""
    done: int
    total: int
    """Pairs."""
    seconds_left: float | None = None
    """At the speed so far, once something is encoded."""


def fill_cache(
    sources: Sequence[PairSource],
    folder: Path,
    encoders: ReleaseEncoders,
    *,
    size_level: int,
    languages: Sequence[Language] = ("en", "zh"),
    batch: int = 4,
    report: Callable[[CacheProgress], None] = lambda _: None,
    largest_shard: int = LARGEST_SHARD,
) -> CachedExamples:
    """Encode what is not encoded yet and return all examples of the sources.

    VAE and multimodal LLM are loaded only when something is missing, and are gone when this returns.

    Args:
        sources: Where pairs come from.
        folder: The cache; may serve many runs and releases.
        encoders: The frozen networks.
        size_level: Side in pixels of a square with the area of a training picture.
        languages: Instructions that are taken where a pair has several; each is an example of its own.
        batch: Pictures that go through the VAE at once.
        report: Told how far it is.
        largest_shard: Bytes.

    Raises:
        DataError: A pair cannot be trained on (see ``step1x train check``), or the disk is full.
        RequestError: Another process fills the same cache; many may read it.
    """
    home = folder / encoders.hash
    index = CacheIndex(home)
    total = sum(len(source) for source in sources)

    def looked_at(done: int) -> None:
        report(CacheProgress(stage="reading", done=done, total=total))

    wanted = want(sources, index, size_level=size_level, languages=languages, report=looked_at)
    if wanted.missing:
        batches = _batches(wanted.missing, sources, size_level=size_level, batch=batch)
        with locked(home):
            _encode(batches, _Pending(home, largest_shard), encoders, len(wanted.missing), batch, report)
        _free()
        index = CacheIndex(home)
    return CachedExamples(index, wanted.keys, wanted.sources, wanted.names)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Pairs that are encoded together."""

    pairs: list[WantedPair]
    keys: list[dict[Language, bytes]]
    grid: tuple[tuple[int, int], bool]
    """Canvas, and whether there is a reference image."""


def _encode(
    batches: Iterator[_Batch],
    pending: _Pending,
    encoders: ReleaseEncoders,
    total: int,
    batch: int,
    report: Callable[[CacheProgress], None],
) -> None:
    report(CacheProgress(stage="encoding", done=0, total=total))
    parts, done, began = encoders.load(), 0, time.monotonic()
    try:
        for one in _one_ahead(batches):
            encoded = encode_pairs(one.pairs, parts, batch=batch)
            examples = [
                KeyedExample(key, found[language])
                for keys, found in zip(one.keys, encoded, strict=True)
                for language, key in keys.items()
            ]
            pending.add(examples, one.grid)
            done += len(one.pairs)
            left = (time.monotonic() - began) / done * (total - done)
            report(CacheProgress(stage="encoding", done=done, total=total, seconds_left=left))
    finally:
        # Also when a pair cannot be read, or the user stops: what is encoded stays.
        pending.write()


def _batches(
    missing: Sequence[MissingPair], sources: Sequence[PairSource], *, size_level: int, batch: int
) -> Iterator[_Batch]:
    """Read pairs that can be encoded together, grid by grid, each grid's in the order of their sources."""
    groups: dict[tuple[tuple[int, int], bool], list[MissingPair]] = defaultdict(list)
    for one in missing:
        groups[one.frame.canvas, one.content.reference is not None].append(one)
    for grid, group in groups.items():
        for first in range(0, len(group), batch):
            chosen = group[first : first + batch]
            yield _Batch([_read(one, sources, size_level) for one in chosen], [one.keys for one in chosen], grid)


def _read(one: MissingPair, sources: Sequence[PairSource], size_level: int) -> WantedPair:
    pair = sources[one.source].pair(one.index)
    placed = framed(pair, size_level=size_level)
    if placed.frame != one.frame:
        raise DataError(
            given=f"{pair.origin}, whose target is of another size than its head says",
            expected="a picture that stays as it is while it is read",
            remedy="Save it again upright, without EXIF.",
        )
    return WantedPair(
        pair=placed,
        content=one.content,
        instructions={language: pair.instructions[language] for language in one.keys},
    )


def _one_ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Yield the same batches, while the next one is being read: decoding and the networks keep different parts busy."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        upcoming = reader.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = reader.submit(next, batches, None)
            yield batch


class _Pending:
    """Examples that wait for their shard."""

    def __init__(self, home: Path, largest: int) -> None:
        self._home, self._largest = home, largest
        for left_over in home.glob(".*.part"):  # of a run that was killed
            left_over.unlink()
        self._grid: object = None
        self._begin()

    def _begin(self) -> None:
        self._examples: list[KeyedExample] = []
        self._sizes: dict[int, int] = {}
        self._since = time.monotonic()

    def add(self, examples: Sequence[KeyedExample], grid: object) -> None:
        """Take more in; write first where they would make the shard too large, or are of another grid."""
        sizes = {id(tensor): tensor.nbytes for one in examples for tensor in one.tensors()}
        if grid != self._grid or sum(self._sizes.values()) + sum(sizes.values()) > self._largest:
            self.write()
        self._grid = grid
        self._examples += examples
        self._sizes |= sizes
        if time.monotonic() - self._since > _LONGEST_WAIT:
            self.write()

    def write(self) -> None:
        """Write what there is; the name follows from the keys, so that no two shards share one."""
        if self._examples:
            name = hashlib.blake2b(b"".join(one.key for one in self._examples), digest_size=8).hexdigest()
            write_shard(self._home / f"{name}{SUFFIX}", self._examples)
        self._begin()


def _free() -> None:
    """Give the memory of what has just been dropped back to the device and the system."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
