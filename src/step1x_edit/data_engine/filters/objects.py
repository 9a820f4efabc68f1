"""Objects that come, go or give way: their size, whether a detector sees them, and whether a filled hole is sharp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from step1x_edit.data_engine.filters.filter import absent, bounded, not_run
from step1x_edit.data_engine.objects import ObjectClass
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.experts.answers import Detection
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.colour import luma
from step1x_edit.measures.masks import PixelBox, box_around, box_overlap, shared_area
from step1x_edit.measures.sharpness import fineness, ring_around, sharpness_ratio
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Box, Decision

__all__ = ["BoxesOverlap", "HoleSharpness", "MaskShare", "ObjectFound", "ObjectGone"]

GRAIN_LEVELS = 1.0
"""Grain below which flat parts count as equally sharp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskShare:
    """The object is neither a speck nor the whole picture."""

    name: ClassVar[str] = "mask-share"
    at_least: float
    at_most: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the mask's share of the picture."""
        share = float(pair.changed.mean())
        what = "The mask's share of the picture"
        return bounded(self.name, share, what=what, at_least=self.at_least, at_most=self.at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleSharpness:
    """Where an object was taken away, the picture is as sharp as around it, neither smeared nor noisy.

    Sky beside grass has less detail, and a wall beside an object's edge finer grain; a smeared or noisy hole has both.
    So two ratios are taken, and the milder one counts: of the Laplacian's variance, and of how fine the detail is.
    """

    name: ClassVar[str] = "hole-sharpness"
    at_least: float
    at_most: float
    least_px: int

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure how sharp the target is inside the mask, over how sharp it is in a band around it."""
        around = ring_around(pair.changed, width_px=max(4, max(pair.changed.shape) // 16))
        if min(int(pair.changed.sum()), int(around.sum())) < self.least_px:
            return not_run(self.name, "Hole or surround is too small to compare.")
        grey = luma(pair.target)
        within, beside = (fineness(grey, where=part, grain_levels=GRAIN_LEVELS) for part in (pair.changed, around))
        strength = sharpness_ratio(grey, pair.changed, around)
        ratio = (
            median((1.0, within / beside, strength)) if within is not None and beside and strength is not None else None
        )
        what = "The hole's sharpness beside its surround"
        return bounded(self.name, ratio, what=what, at_least=self.at_least, at_most=self.at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxesOverlap:
    """The new object stands where the old one stood."""

    name: ClassVar[str] = "boxes-overlap"
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the overlap (IoU) of the old object's box and the new one's."""
        if pair.wish.subject is None or pair.wish.other is None:
            return not_run(self.name, "The wish does not name both objects.")
        old, new = (_boxes_of(pair, one.name) for one in (pair.wish.subject, pair.wish.other))
        overlaps = [box_overlap(one, two) for one in old for two in new]
        if not overlaps:
            return not_run(self.name, "The pair has no boxes of both objects.")
        return bounded(self.name, max(overlaps), what="The overlap of old and new box", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFound:
    """The object that was to come is there, inside the mask.

    The embedded detector misses three objects of four that were put into a photograph, so its silence says nothing. The
    pair is rejected only when it is sure of something else in that place.
    """

    name: ClassVar[str] = "object-found"
    at_least: float
    sure_of_another: float
    """Score from which another object inside the mask speaks against this one."""

    def decide(self, pair: EditPair, experts: ExpertSet | None) -> Decision:
        """Take the best score with which a detector finds the object inside the mask of the target."""
        if experts is None or not experts.available("detect"):
            return absent(self.name, "detect")
        what = pair.wish.other if pair.task is EditTask.SUBJECT_REPLACEMENT else pair.wish.subject
        labels = known_labels(what)
        if not labels:
            return not_run(self.name, "The detector does not know this object.")
        seen = _inside(experts.detect(pair.target), pair.changed)
        best = max((one.score for one in seen if one.label in labels), default=0.0)
        if not best and max((one.score for one in seen), default=0.0) < self.sure_of_another:
            return not_run(self.name, "The detector is sure of nothing inside the mask.")
        return bounded(self.name, best, what="The detector's score for the new object", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectGone:
    """The object that was to go is no longer there."""

    name: ClassVar[str] = "object-gone"
    at_most: float

    def decide(self, pair: EditPair, experts: ExpertSet | None) -> Decision:
        """Take the best score with which a detector still finds the object inside the mask of the target."""
        if experts is None or not experts.available("detect"):
            return absent(self.name, "detect")
        labels = known_labels(pair.wish.subject)
        if not labels:
            return not_run(self.name, "The detector does not know this object.")
        seen = _inside(experts.detect(pair.target), pair.changed)
        best = max((one.score for one in seen if one.label in labels), default=0.0)
        return bounded(self.name, best, what="The detector's score for the old object", at_most=self.at_most)


def known_labels(what: ObjectClass | None) -> frozenset[str]:
    """Return under which of its names the detector knows an object; none when it does not."""
    if what is None:
        return frozenset()
    from step1x_edit.experts.object_detector import coco_labels

    return frozenset(what.names) & frozenset(coco_labels())


COVERED = 0.5
"""Share of a detection's box that must lie in the mask's box, and the other way round half of that: then it is its object."""


def _inside(detections: Sequence[Detection], mask: Bool[np.ndarray, "height width"]) -> list[Detection]:
    """Return the detections that are about what the mask shows."""
    around = box_around(mask)
    if around is None:
        return []
    return [one for one in detections if _about(_pixel_box(one.box), around)]


def _about(found: PixelBox, mask: PixelBox) -> bool:
    shared = shared_area(found, mask)
    return shared >= COVERED * found.area and shared >= COVERED / 2 * mask.area


def _pixel_box(edges: tuple[float, float, float, float]) -> PixelBox:
    left, top, right, bottom = edges
    return PixelBox(left=left, top=top, right=right, bottom=bottom)


def _boxes_of(pair: EditPair, label: str) -> list[PixelBox]:
    boxes: list[Box] = [one for one in pair.boxes if one.label == label]
    return [_pixel_box((one.left, one.top, one.right, one.bottom)) for one in boxes]
