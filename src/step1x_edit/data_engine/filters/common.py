"""What every pair must be: two pictures of one size, large enough, that differ visibly and in one piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from step1x_edit.data_engine.filters.filter import bounded
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.change import blob_share, changed_area, changed_pixels, mean_difference
from step1x_edit.schema.triplet import Decision

__all__ = ["BlobShare", "ChangedArea", "EqualSizes", "Size", "Unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualSizes:
    """Reference image, target and mask have one size."""

    name: ClassVar[str] = "equal-sizes"

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Compare the three sizes."""
        sizes = {pair.reference.shape[:2], pair.target.shape[:2], pair.changed.shape}
        if len(sizes) == 1:
            return Decision(filter=self.name, passed=True)
        listed = ", ".join(f"{width} x {height}" for height, width in sorted(sizes))
        return Decision(
            filter=self.name, passed=False, reason=f"Reference image, target and mask differ in size: {listed}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The pictures are large enough for the release they train."""

    name: ClassVar[str] = "size"
    at_least_px: int

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the short side, in pixels."""
        short = float(min(pair.reference.shape[:2]))
        return bounded(self.name, short, what="The short side in pixels", at_least=self.at_least_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """Something happened where the edit belongs."""

    name: ClassVar[str] = "unchanged"
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the mean difference inside the mask, 0..1."""
        change = mean_difference(pair.reference, pair.target, where=pair.changed)
        return bounded(self.name, change, what="The mean change inside the mask", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedArea:
    """The edit can be seen: enough of the picture changed clearly."""

    name: ClassVar[str] = "changed-area"
    above_levels: int
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the share of the pixels that changed by more than some levels."""
        area = changed_area(changed_pixels(pair.reference, pair.target, above_levels=self.above_levels))
        return bounded(self.name, area, what="The share of the picture that changed", at_least=self.at_least)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobShare:
    """The change hangs together; noise all over the picture does not."""

    name: ClassVar[str] = "blob-share"
    above_levels: int
    at_least: float

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure the share of the changed pixels in their largest connected region."""
        changed = changed_pixels(pair.reference, pair.target, above_levels=self.above_levels)
        what = "The largest region's share of the change"
        return bounded(self.name, blob_share(changed), what=what, at_least=self.at_least)
