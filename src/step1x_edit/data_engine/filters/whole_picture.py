"""Edits of the whole picture: style and tone move far enough, the right way, and keep what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from step1x_edit.data_engine.filters.filter import absent, bounded, not_run
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.change import mean_difference
from step1x_edit.measures.colour import luma
from step1x_edit.measures.sharpness import block_edges
from step1x_edit.measures.structure import edge_agreement, gradient_correlation
from step1x_edit.measures.tone import tone_direction
from step1x_edit.schema.triplet import Decision

__all__ = ["EdgesAgree", "FeaturesDiffer", "GradientsKept", "NotReencoded", "ToneDirection", "ToneStrength"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesDiffer:
    """The picture looks made in another way: its image features moved."""

    name: ClassVar[str] = "features-differ"
    at_most: float

    def decide(self, pair: EditPair, experts: ExpertSet | None) -> Decision:
        """Measure the cosine of the two pictures' features."""
        if experts is None or not experts.available("features"):
            return absent(self.name, "features")
        cosine = float(experts.features(pair.reference) @ experts.features(pair.target))
        return bounded(self.name, cosine, what="The cosine of the features", at_most=self.at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgesAgree:
    """The drawing is still of the same thing."""

    name: ClassVar[str] = "edges-agree"
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure how well the edges lie on each other, beyond chance."""
        # A brush moves an edge by its own width: the tolerance follows the size.
        tolerance = max(1, round(max(pair.changed.shape) / 128))
        agreement = edge_agreement(luma(pair.reference), luma(pair.target), tolerance_px=tolerance)
        return bounded(self.name, agreement, what="The agreement of the edges", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneStrength:
    """The tone moved clearly, and the picture was not painted over."""

    name: ClassVar[str] = "tone-strength"
    at_least: float
    at_most: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the mean difference of the channels, 0..1."""
        change = mean_difference(pair.reference, pair.target)
        return bounded(self.name, change, what="The mean change", at_least=self.at_least, at_most=self.at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientsKept:
    """Edges are where they were."""

    name: ClassVar[str] = "gradients-kept"
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the correlation of the gradients over the whole picture."""
        correlation = gradient_correlation(luma(pair.reference), luma(pair.target))
        return bounded(self.name, correlation, what="The gradient correlation", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReencoded:
    """The target was not coded as a JPEG on its way; a model would learn the blocks."""

    name: ClassVar[str] = "not-reencoded"
    at_most: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure how much steeper the target is across block borders than the reference image."""
        more = block_edges(luma(pair.target)) - block_edges(luma(pair.reference))
        return bounded(self.name, more, what="The rise of steps across block borders", at_most=self.at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneDirection:
    """The tone moved the way its name says."""

    name: ClassVar[str] = "tone-direction"
    at_least: float
    looks: Mapping[str, Sequence[str]]
    """Look → axes of :class:`~step1x_edit.measures.tone.Tone` it moves along, each with a sign: ``+warmth``."""

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure how far the tone moved along the axis of its look on which it moved least."""
        axes = self.looks.get(pair.detail)
        if not axes:
            return not_run(self.name, f"No direction is known for {pair.detail!r}.")
        moved = tone_direction(pair.reference, pair.target)
        least = min(getattr(moved, axis[1:]) * (1 if axis[0] == "+" else -1) for axis in axes)
        what = f"The move toward {pair.detail} ({', '.join(axes)})"
        return bounded(self.name, least, what=what, at_least=self.at_least)
