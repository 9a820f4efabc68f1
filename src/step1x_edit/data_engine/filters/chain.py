"""The chain of filters of each task, cheap ones first, and the judging of a pair by it.

The table of checks by task is that of the data engine's reference, with the thresholds of ``thresholds.toml``. A chain
stops at the first filter that says no; a filter whose expert is absent is recorded as not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from step1x_edit.data_engine.filters.appearance import (
    AppearanceMoved,
    BackgroundReplaced,
    ColourReached,
    LightnessKept,
    ShapeKept,
)
from step1x_edit.data_engine.filters.common import BlobShare, ChangedArea, EqualSizes, Size, Unchanged
from step1x_edit.data_engine.filters.filter import Filter, Judged
from step1x_edit.data_engine.filters.held_out import HashList, HeldOut
from step1x_edit.data_engine.filters.holding import (
    Alignment,
    FinenessKept,
    ForegroundKept,
    PerceptualOutside,
    PsnrOutside,
    SsimOutside,
)
from step1x_edit.data_engine.filters.objects import BoxesOverlap, HoleSharpness, MaskShare, ObjectFound, ObjectGone
from step1x_edit.data_engine.filters.thresholds import with_thresholds
from step1x_edit.data_engine.filters.whole_picture import (
    EdgesAgree,
    FeaturesDiffer,
    GradientsKept,
    NotReencoded,
    ToneDirection,
    ToneStrength,
)
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Decision, Scores

__all__ = ["BY_TASK", "chain", "judge"]

COMMON = (EqualSizes, Size, Unchanged, ChangedArea, BlobShare)
OUTSIDE = (PsnrOutside, FinenessKept, SsimOutside, Alignment)
BY_TASK: dict[EditTask, tuple[type[Filter], ...]] = {
    EditTask.SUBJECT_ADDITION: (*COMMON, MaskShare, *OUTSIDE, PerceptualOutside, ObjectFound),
    EditTask.SUBJECT_REMOVAL: (*COMMON, MaskShare, *OUTSIDE, HoleSharpness, PerceptualOutside, ObjectGone),
    EditTask.SUBJECT_REPLACEMENT: (
        *COMMON, MaskShare, *OUTSIDE, BoxesOverlap, PerceptualOutside, ObjectFound, ObjectGone,
    ),
    EditTask.BACKGROUND_CHANGE: (
        *COMMON, BackgroundReplaced, PsnrOutside, FinenessKept, ForegroundKept, Alignment, ColourReached,
    ),
    EditTask.COLOUR_ALTERATION: (
        *COMMON, AppearanceMoved, *OUTSIDE, LightnessKept, ColourReached, PerceptualOutside,
    ),
    EditTask.MATERIAL_MODIFICATION: (*COMMON, AppearanceMoved, *OUTSIDE, ShapeKept, PerceptualOutside),
    EditTask.STYLE_TRANSFER: (*COMMON, EdgesAgree, Alignment, FeaturesDiffer),
    EditTask.TONE_TRANSFORMATION: (
        *COMMON, ToneStrength, GradientsKept, FinenessKept, NotReencoded, Alignment, ToneDirection,
    ),
}  # fmt: skip
"""Filters by task, in the order they run: arithmetic on levels, then spectra, then experts."""

SCORES = {
    ChangedArea.name: "changed_area",
    BackgroundReplaced.name: "changed_area",
    BlobShare.name: "blob_share",
    Alignment.name: "shift_px",
    PsnrOutside.name: "psnr_outside",
    SsimOutside.name: "ssim_outside",
    PerceptualOutside.name: "perceptual_outside",
    FeaturesDiffer.name: "features_cosine",
}
"""Filters whose value is one of the record's scores."""


@cache
def chain(task: EditTask, *, smallest_px: int | None = None, held_out: HashList | None = None) -> tuple[Filter, ...]:
    """Return the filters of a task in the order they run.

    Args:
        task: The edit task.
        smallest_px: Least short side of the pictures, where it is not the one of ``thresholds.toml``.
        held_out: Hashes of pictures that must not come into training.

    Raises:
        KeyError: The task has no chain yet.
    """
    filters: list[Filter] = []
    for kind in BY_TASK[task]:
        given = {"at_least_px": smallest_px} if kind is Size and smallest_px is not None else {}
        filters.append(with_thresholds(kind, kind.name, task, **given))
    if held_out is not None:
        filters.insert(len(COMMON), with_thresholds(HeldOut, HeldOut.name, task, known=held_out))
    return tuple(filters)


def judge(pair: EditPair, experts: ExpertSet | None, *, filters: Sequence[Filter] | None = None) -> Judged:
    """Let the filters look at a pair, one after the other, until one says no.

    Args:
        pair: The pair.
        experts: Models that filters may ask; those that ask an absent one are recorded as not run.
        filters: The chain; that of the pair's task when not given.
    """
    decisions: list[Decision] = []
    for one in chain(pair.task) if filters is None else filters:
        decisions.append(one.decide(pair, experts))
        if decisions[-1].passed is False:
            break
    values = {SCORES[one.filter]: one.value for one in decisions if one.filter in SCORES and one.value is not None}
    return Judged(decisions=tuple(decisions), scores=Scores(**values))
