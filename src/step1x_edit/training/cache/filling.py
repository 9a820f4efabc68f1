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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from step1x_edit.errors import DataError
from step1x_edit.pipeline.geometry import WorkingFrame
from step1x_edit.store.lock import locked
from step1x_edit.training.buckets import frame_of, framed
from step1x_edit.training.cache.encoders import EncodingParts, ReleaseEncoders
from step1x_edit.training.cache.encoding import WantedPair, encode_pairs
from step1x_edit.training.cache.examples import SUFFIX, CachedExamples, CacheIndex
from step1x_edit.training.cache.shard import KEY_BYTES, KeyedExample, write_shard
from step1x_edit.training.pairs.pair import Language, PairContent, PairFacts, PairSource

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


@dataclass(slots=True)
class _Missing:
    """A pair of which some instructions are not in the cache."""

    source: int
    index: int
    frame: WorkingFrame
    content: PairContent
    keys: dict[Language, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class _Wanted:
    """The examples of a run, in order."""

    keys: list[bytes] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


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
    wanted, missing = _wanted(sources, index, size_level, tuple(languages), report)
    if missing:
        with locked(home):
            _encode(missing, sources, home, encoders, size_level, batch, report, largest_shard)
        _free()
        index = CacheIndex(home)
    return CachedExamples(index, wanted.keys, wanted.sources, wanted.names)


def _wanted(
    sources: Sequence[PairSource],
    index: CacheIndex,
    size_level: int,
    languages: tuple[Language, ...],
    report: Callable[[CacheProgress], None],
) -> tuple[_Wanted, list[_Missing]]:
    """Return every example that is asked for, and the pairs that are not whole in the cache."""
    wanted, missing, awaited = _Wanted(), [], set()
    total, done = sum(len(source) for source in sources), 0
    for number, source in enumerate(sources):
        for pair in range(len(source)):
            facts, content = source.facts(pair), source.content(pair)
            frame = frame_of(facts.target_size, size_level=size_level, has_reference=facts.has_reference)
            absent = _Missing(number, pair, frame, content)
            for language, instruction in _instructions(facts, languages).items():
                key = _key(content, frame, instruction)
                wanted.keys.append(key)
                wanted.sources.append(number)
                wanted.names.append(f"{facts.origin} ({language})")
                if key not in index and key not in awaited:
                    absent.keys[language] = key
                    awaited.add(key)
            if absent.keys:
                missing.append(absent)
            done += 1
            report(CacheProgress(stage="reading", done=done, total=total))
    return wanted, missing


def _instructions(facts: PairFacts, languages: tuple[Language, ...]) -> dict[Language, str]:
    chosen: dict[Language, str] = {
        language: facts.instructions[language] for language in languages if facts.instructions.get(language)
    }
    if not chosen:
        raise DataError(
            given=f"{facts.origin} without an instruction ({', '.join(languages)})",
            expected="one in a language that is trained",
            remedy="Write one, or take the pair out; `step1x train check` lists all such pairs.",
        )
    return chosen


def _key(content: PairContent, frame: WorkingFrame, instruction: str) -> bytes:
    told = repr((content.reference, content.target, content.mask, frame.content, frame.canvas, instruction))
    return hashlib.blake2b(told.encode(), digest_size=KEY_BYTES).digest()


def _encode(
    missing: Sequence[_Missing],
    sources: Sequence[PairSource],
    home: Path,
    encoders: ReleaseEncoders,
    size_level: int,
    batch: int,
    report: Callable[[CacheProgress], None],
    largest: int,
) -> None:
    for left_over in home.glob(".*.part"):  # of a run that was killed
        left_over.unlink()
    report(CacheProgress(stage="encoding", done=0, total=len(missing)))
    parts, done, began = encoders.load(), 0, time.monotonic()
    for group in _by_grid(missing):
        pending = _Pending(home, largest)
        for first in range(0, len(group), batch):
            chosen = group[first : first + batch]
            pending.add(_encoded(chosen, sources, parts, size_level, batch))
            done += len(chosen)
            left = (time.monotonic() - began) / done * (len(missing) - done)
            report(CacheProgress(stage="encoding", done=done, total=len(missing), seconds_left=left))
        pending.write()


def _by_grid(missing: Sequence[_Missing]) -> Iterator[list[_Missing]]:
    """Yield the pairs that can share batches and shards, in the order of their sources."""
    groups: dict[tuple[tuple[int, int], bool], list[_Missing]] = defaultdict(list)
    for one in missing:
        groups[one.frame.canvas, one.content.reference is not None].append(one)
    yield from groups.values()


def _encoded(
    chosen: Sequence[_Missing], sources: Sequence[PairSource], parts: EncodingParts, size_level: int, batch: int
) -> list[KeyedExample]:
    wanted = []
    for one in chosen:
        pair = sources[one.source].pair(one.index)
        wanted.append(
            WantedPair(
                pair=framed(pair, size_level=size_level),
                content=one.content,
                instructions={language: pair.instructions[language] for language in one.keys},
            )
        )
    encoded = encode_pairs(wanted, parts, batch=batch)
    return [
        KeyedExample(key, examples[language])
        for one, examples in zip(chosen, encoded, strict=True)
        for language, key in one.keys.items()
    ]


class _Pending:
    """Examples that wait for their shard."""

    def __init__(self, home: Path, largest: int) -> None:
        self._home, self._largest = home, largest
        self._begin()

    def _begin(self) -> None:
        self._examples: list[KeyedExample] = []
        self._sizes: dict[int, int] = {}
        self._since = time.monotonic()

    def add(self, examples: Sequence[KeyedExample]) -> None:
        """Take more in; write first where they would make the shard too large."""
        sizes = {id(tensor): tensor.nbytes for one in examples for tensor in one.tensors()}
        if self._examples and sum(self._sizes.values()) + sum(sizes.values()) > self._largest:
            self.write()
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
