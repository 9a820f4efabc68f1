"""What a run wants of the cache: every pair with every instruction, and which of them are not there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from step1x_edit.errors import DataError
from step1x_edit.pipeline.geometry import WorkingFrame
from step1x_edit.training.buckets import frame_of
from step1x_edit.training.cache.examples import CacheIndex
from step1x_edit.training.cache.shard import KEY_BYTES
from step1x_edit.training.pairs.pair import Language, PairContent, PairFacts, PairSource

__all__ = ["MissingPair", "WantedExamples", "want"]


@dataclass(slots=True)
class MissingPair:
    """A pair of which some instructions are not in the cache."""

    source: int
    index: int
    frame: WorkingFrame
    content: PairContent
    keys: dict[Language, bytes] = field(default_factory=dict)
    """Of the examples that are missing."""


@dataclass(slots=True)
class WantedExamples:
    """The examples of a run, in order, and the pairs that have to be encoded for them."""

    keys: list[bytes] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    missing: list[MissingPair] = field(default_factory=list)


def want(
    sources: Sequence[PairSource],
    index: CacheIndex,
    *,
    size_level: int,
    languages: Sequence[Language],
    report: Callable[[int], None],
) -> WantedExamples:
    """Look at every pair, without decoding it, and compare with what is there.

    Args:
        sources: Where pairs come from.
        index: What the cache holds.
        size_level: Side in pixels of a square with the area of a training picture.
        languages: Instructions that are taken.
        report: Told how many pairs are done.

    Raises:
        DataError: A pair has no instruction in these languages, or a picture of it is not there.
    """
    wanted, awaited, done = WantedExamples(), set(), 0
    for number, source in enumerate(sources):
        for pair in range(len(source)):
            facts, content = source.facts(pair), source.content(pair)
            frame = frame_of(facts.target_size, size_level=size_level, has_reference=facts.has_reference)
            absent = MissingPair(number, pair, frame, content)
            for language, instruction in _instructions(facts, languages).items():
                key = _key(content, frame, instruction)
                wanted.keys.append(key)
                wanted.sources.append(number)
                wanted.names.append(f"{facts.origin} ({language})")
                if key not in index and key not in awaited:
                    absent.keys[language] = key
                    awaited.add(key)
            if absent.keys:
                wanted.missing.append(absent)
            done += 1
            report(done)
    return wanted


def _instructions(facts: PairFacts, languages: Sequence[Language]) -> dict[Language, str]:
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
