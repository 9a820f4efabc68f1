"""Checking pairs before anything is trained: what is wrong with which pair, and what to do about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from step1x_edit.errors import DataError
from step1x_edit.measures.change import changed_pixels
from step1x_edit.measures.hashing import hamming_distances, perceptual_hash
from step1x_edit.training.alignment import scene_shift
from step1x_edit.training.buckets import ASPECT_TOLERANCE, aspect_difference
from step1x_edit.training.pairs.pair import MissingPartner, PairSource, TrainingPair

__all__ = ["KINDS", "Finding", "Kind", "PairReport", "check_pairs"]

Kind = Literal[
    "missing", "unreadable", "no instruction", "doubled instruction", "aspect", "size", "mask size", "empty mask",
    "identical", "shifted", "duplicate", "small",
]  # fmt: skip


class _Meaning(NamedTuple):
    wrong: bool
    remedy: str


KINDS: dict[Kind, _Meaning] = {
    "missing": _Meaning(True, "Put the picture there, correct its name, or take the pair out."),
    "unreadable": _Meaning(True, "Save or fetch the picture again, or take the pair out."),
    "no instruction": _Meaning(True, "Write what was done to the reference image."),
    "doubled instruction": _Meaning(True, "Say it once; for two edits of one picture, say how they differ."),
    "aspect": _Meaning(True, "Crop both pictures to the same part of the scene."),
    "size": _Meaning(
        False, "The reference image is scaled to the target's size; save both alike if they are not one scene."
    ),
    "mask size": _Meaning(True, "Save the mask in the target's shape."),
    "empty mask": _Meaning(True, "Paint white where the edit changes something, or leave the mask out."),
    "identical": _Meaning(True, "Take the pair out: it teaches the model to do nothing."),
    "shifted": _Meaning(True, "Export both from one crop; a model learns the shift, and its edits drift."),
    "duplicate": _Meaning(False, "Keep one of them, unless it should count twice."),
    "small": _Meaning(False, "It is enlarged and trains blur; use a smaller size level or a larger picture."),
}
"""What is found, whether training would stop or go wrong over it, and what to do."""

SHIFT_PX = 0.5
"""Half a pixel: the data engine's own bound, ten times what the measure errs by."""
SAME_LEVELS = 12
"""Levels (0..255) that saving as JPEG changes at most in most pixels; nothing an instruction asks for is fainter."""
NEAR_BITS = 4
"""Bits by which perceptual hashes of copies differ at most; unrelated pictures differ in about 32."""
SMALL = 0.25
"""Share of the trained area below which a picture is enlarged more than twofold."""
_TWICE = re.compile(r"(.{4,}?)[\s.,;。，；]*\1[\s.!。！]*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about one pair."""

    pair: int
    """Number of the pair in its source."""
    origin: str
    kind: Kind
    what: str
    """What was found, in words."""

    @property
    def wrong(self) -> bool:
        """Whether training would stop or go wrong over it; else it is only worth knowing."""
        return KINDS[self.kind].wrong

    @property
    def remedy(self) -> str:
        """What to do."""
        return KINDS[self.kind].remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReport:
    """What was found in a source."""

    source: str
    pairs: int
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> int:
        """How many pairs something is wrong with."""
        return len({one.pair for one in self.findings if one.wrong})

    @property
    def counts(self) -> dict[Kind, int]:
        """Findings of each kind, most frequent first."""
        kinds: Counter[Kind] = Counter(one.kind for one in self.findings)
        return dict(kinds.most_common())


def check_pairs(
    source: PairSource, *, size_level: int = 512, report: Callable[[int], None] = lambda _: None
) -> PairReport:
    """Read every pair of a source and say what is wrong with which.

    Args:
        source: The pairs.
        size_level: Side in pixels of a square with the area that will be trained.
        report: Told how many pairs are done.
    """
    earlier, findings = _Earlier(), []
    for index in range(len(source)):
        findings += [
            Finding(pair=index, origin=source.origin(index), kind=kind, what=what)
            for kind, what in _look_at(source, index, size_level, earlier)
        ]
        report(index + 1)
    return PairReport(source=source.name, pairs=len(source), findings=tuple(findings))


def _look_at(source: PairSource, index: int, size_level: int, earlier: _Earlier) -> Iterator[tuple[Kind, str]]:
    try:
        pair = source.pair(index)
    except MissingPartner as error:
        yield "missing", error.given
        return
    except DataError as error:
        yield "unreadable", error.given
        return
    yield from _words(pair)
    yield from _sizes(pair, size_level)
    yield from _pixels(pair)
    yield from earlier.compared(pair)


def _words(pair: TrainingPair) -> Iterator[tuple[Kind, str]]:
    if not pair.instructions:
        yield "no instruction", "there is no instruction"
    for text in pair.instructions.values():
        if _TWICE.fullmatch(text):
            yield "doubled instruction", f"the instruction says the same twice: {_short(text)}"


def _sizes(pair: TrainingPair, size_level: int) -> Iterator[tuple[Kind, str]]:
    target = pair.target.size
    if target[0] * target[1] < SMALL * size_level**2:
        yield "small", f"the target has {_px(target)} px, less than half of {size_level} px a side"
    if pair.reference is not None and pair.reference.size != target:
        alike = aspect_difference(pair.reference.size, target) <= ASPECT_TOLERANCE
        said = f"the reference image has {_px(pair.reference.size)} px, the target {_px(target)}"
        yield ("size" if alike else "aspect"), said
    if pair.mask is None:
        return
    mask = pair.mask.shape[1], pair.mask.shape[0]
    if aspect_difference(mask, target) > ASPECT_TOLERANCE:
        yield "mask size", f"the mask has {_px(mask)} px, the target {_px(target)}"
    if not pair.mask.any():
        yield "empty mask", "the mask is black everywhere"


def _pixels(pair: TrainingPair) -> Iterator[tuple[Kind, str]]:
    if pair.reference is None or pair.reference.size != pair.target.size:
        return
    reference, target = np.asarray(pair.reference), np.asarray(pair.target)
    if not changed_pixels(reference, target, above_levels=SAME_LEVELS).any():
        yield "identical", "reference image and target show no difference"
        return
    mask = pair.mask if pair.mask is not None and pair.mask.shape == target.shape[:2] else None
    shift = scene_shift(reference, target, mask=mask)
    if shift is not None and shift.length_px > SHIFT_PX:
        yield (
            "shifted",
            f"the target lies {shift.right_px:+.2f} px right and {shift.down_px:+.2f} px down of the reference image",
        )


@dataclass(slots=True)
class _Earlier:
    """Pairs seen so far, for those that come twice."""

    references: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    numbers: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    """Words of a pair → places in the two lists."""
    origins: list[str] = field(default_factory=list)

    def compared(self, pair: TrainingPair) -> Iterator[tuple[Kind, str]]:
        """Compare a pair with earlier ones of the same words, and take it in."""
        words = tuple(sorted(pair.instructions.values()))
        reference = perceptual_hash(np.asarray(pair.reference)) if pair.reference is not None else "0"
        target = perceptual_hash(np.asarray(pair.target))
        places = self.numbers.setdefault(words, [])
        if words and places and pair.reference is not None:
            yield from self._found(reference, target, places)
        places.append(len(self.origins))
        self.references.append(int(reference, 16))
        self.targets.append(int(target, 16))
        self.origins.append(pair.origin)

    def _found(self, reference: str, target: str, places: list[int]) -> Iterator[tuple[Kind, str]]:
        near = hamming_distances(reference, np.array([self.references[one] for one in places], np.uint64)) <= NEAR_BITS
        alike = hamming_distances(target, np.array([self.targets[one] for one in places], np.uint64)) <= NEAR_BITS
        if (near & alike).any():
            yield "duplicate", f"nearly the same as {self.origins[places[int((near & alike).argmax())]]}"
        elif near.any():
            other = self.origins[places[int(near.argmax())]]
            yield "doubled instruction", f"the same picture and words as {other}, but another target"


def _px(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
