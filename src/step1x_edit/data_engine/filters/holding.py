"""What must hold while something else is edited: the place of things, and all that lies outside the mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from step1x_edit.data_engine.filters.filter import absent, bounded
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.change import changed_pixels
from step1x_edit.measures.colour import luma
from step1x_edit.measures.preservation import mean_where, outside, psnr
from step1x_edit.measures.sharpness import fineness
from step1x_edit.measures.shift import global_shift
from step1x_edit.measures.structure import ssim
from step1x_edit.schema.triplet import Decision

__all__ = ["Alignment", "FinenessKept", "ForegroundKept", "PerceptualOutside", "PsnrOutside", "SsimOutside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """The scene did not move between the two pictures, not even by a fraction of a pixel."""

    name: ClassVar[str] = "alignment"
    at_most_px: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the global shift; an edited mask is ignored unless it is the whole picture."""
        ignore = None if pair.changed.all() else pair.changed
        shift = global_shift(pair.reference, pair.target, ignore=ignore)
        length = None if shift is None else shift.length_px
        return bounded(self.name, length, what="The shift in pixels", at_most=self.at_most_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class PsnrOutside:
    """Outside the mask hardly a level changed; re-encoding fails here first."""

    name: ClassVar[str] = "psnr-outside"
    at_least_db: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the PSNR outside the grown mask, in dB."""
        ratio = psnr(pair.reference, pair.target, where=outside(pair.changed))
        return bounded(self.name, ratio, what="The PSNR outside the mask in dB", at_least=self.at_least_db)


@dataclass(frozen=True, slots=True, kw_only=True)
class SsimOutside:
    """Outside the mask the structure is the same."""

    name: ClassVar[str] = "ssim-outside"
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the structural similarity outside the grown mask."""
        similarity = _ssim(pair.reference, pair.target, outside(pair.changed))
        return bounded(self.name, similarity, what="The SSIM outside the mask", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForegroundKept:
    """What stands before a new background stayed as it was, up to its rim."""

    name: ClassVar[str] = "foreground-kept"
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the structural similarity of the foreground."""
        similarity = _ssim(pair.reference, pair.target, ~pair.changed)
        return bounded(self.name, similarity, what="The SSIM of the foreground", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerceptualOutside:
    """Outside the mask a network that sees like people sees no difference."""

    name: ClassVar[str] = "perceptual-outside"
    at_most: float

    def decide(self, pair: EditPair, experts: ExpertSet | None) -> Decision:
        """Measure the mean perceptual distance outside the grown mask."""
        if experts is None or not experts.available("perceptual"):
            return absent(self.name, "perceptual")
        where, distance = outside(pair.changed), 0.0
        # Where not a level differs there is nothing to see, and the network, the slowest of the filters, is not asked.
        if (changed_pixels(pair.reference, pair.target, above_levels=0) & where).any():
            distance = mean_where(experts.perceptual(pair.reference, pair.target), where)
        return bounded(self.name, distance, what="The perceptual distance outside the mask", at_most=self.at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinenessKept:
    """What is not edited is as sharp as it was; a change of tone, too, leaves a picture as sharp as it was."""

    name: ClassVar[str] = "fineness-kept"
    at_least: float
    at_most: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure how fine the target's detail is outside the mask, over how fine the reference image's is."""
        where = None if pair.changed.all() else outside(pair.changed)
        before, after = (fineness(luma(one), where=where) for one in (pair.reference, pair.target))
        ratio = after / before if after is not None and before else None
        what = "The target's fineness over the reference image's"
        return bounded(self.name, ratio, what=what, at_least=self.at_least, at_most=self.at_most)


def _ssim(
    first: UInt8[np.ndarray, "height width 3"], second: UInt8[np.ndarray, "height width 3"], where: np.ndarray
) -> float | None:
    if not where.any():
        return None
    return ssim(luma(first), luma(second), where=where)
