"""Edits that change how something looks and keep what it is: colour, material, and what lies behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from step1x_edit.data_engine.filters.filter import bounded, not_run
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.change import changed_area, changed_pixels
from step1x_edit.measures.colour import colour_difference, colour_statistics, hue_distance, lightness, to_oklab
from step1x_edit.measures.masks import thinned
from step1x_edit.measures.structure import gradient_correlation, ssim
from step1x_edit.schema.triplet import Decision

__all__ = ["AppearanceMoved", "BackgroundReplaced", "ColourReached", "LightnessKept", "ShapeKept"]

ENOUGH_PIXELS = 20_000
"""Pixels that a mean colour is taken over; more change nothing in the second digit."""
L_PEAK = 100.0
"""White in CIE L*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppearanceMoved:
    """Inside the mask the colour is clearly another."""

    name: ClassVar[str] = "appearance-moved"
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the mean colour difference (CIEDE2000) of what changed inside the mask."""
        some = thinned(_moved(pair), most=ENOUGH_PIXELS)
        moved = float(colour_difference(pair.reference[some], pair.target[some]).mean()) if some.any() else 0.0
        return bounded(self.name, moved, what="The colour difference inside the mask", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourReached:
    """What was painted has the colour that was asked for, not just another one."""

    name: ClassVar[str] = "colour-reached"
    at_most_degrees: float
    grey_below: float
    """OKLab chroma below which a colour counts as grey, black or white."""

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the angle between the hue asked for and the hue that came."""
        if pair.wish.colour is None:
            return not_run(self.name, "The wish names no colour.")
        found = colour_statistics(pair.target, thinned(_moved(pair), most=ENOUGH_PIXELS))
        if found is None:
            return not_run(self.name, "Nothing changed inside the mask.")
        _, green_red, blue_yellow = to_oklab(np.array(pair.wish.colour.rgb, dtype=np.uint8)).tolist()
        if np.hypot(green_red, blue_yellow) < self.grey_below:
            what = "The chroma of what was to be without colour"
            return bounded(self.name, found.chroma * found.hue_agreement, what=what, at_most=self.grey_below)
        wanted = float(np.degrees(np.arctan2(blue_yellow, green_red)))
        angle = hue_distance(found.hue_degrees, wanted)
        what = f"The angle to the hue of {pair.wish.colour.name} in degrees"
        return bounded(self.name, angle, what=what, at_most=self.at_most_degrees)


@dataclass(frozen=True, slots=True, kw_only=True)
class LightnessKept:
    """Folds, gloss and texture stay when a colour changes."""

    name: ClassVar[str] = "lightness-kept"
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the structural similarity of L* inside the mask, after its mean and spread are made equal."""
        first, second = (_standardised(lightness(one), pair.changed) for one in (pair.reference, pair.target))
        similarity = ssim(first, second, where=pair.changed, peak=L_PEAK)
        return bounded(self.name, similarity, what="The SSIM of the lightness inside the mask", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeKept:
    """The object keeps its form when its material changes."""

    name: ClassVar[str] = "shape-kept"
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the correlation of the gradients inside the mask."""
        first, second = lightness(pair.reference), lightness(pair.target)
        correlation = gradient_correlation(first, second, where=pair.changed)
        return bounded(self.name, correlation, what="The gradient correlation inside the mask", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundReplaced:
    """The background is another one, all of it."""

    name: ClassVar[str] = "background-replaced"
    above_levels: int
    at_least: float
    at_least_of_mask: float
    """Enough where the foreground leaves little: this share of the mask."""

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the share of the picture that changed."""
        area = changed_area(changed_pixels(pair.reference, pair.target, above_levels=self.above_levels))
        least = min(self.at_least, self.at_least_of_mask * float(pair.changed.mean()))
        return bounded(self.name, area, what="The share of the picture that changed", at_least=least)


def _moved(pair: EditPair) -> Bool[np.ndarray, "height width"]:
    """Return what changed inside the mask: the paint of a car, not its tyres."""
    return pair.changed & changed_pixels(pair.reference, pair.target, above_levels=JUST_VISIBLE)


JUST_VISIBLE = 8
"""Levels by which a pixel must differ to count as painted."""


def _standardised(values: np.ndarray, mask: Bool[np.ndarray, "height width"]) -> np.ndarray:
    """Bring the part under a mask to the middle of the range and a fixed spread, so that only structure is left."""
    chosen = values[mask]
    if not chosen.size or not chosen.std():
        return values
    return (50 + 20 * (values - chosen.mean()) / chosen.std()).astype(np.float32)
