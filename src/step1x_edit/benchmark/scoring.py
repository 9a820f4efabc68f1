"""Scores of edits whose target is known: measures inside and outside the region, and what a frozen detector finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.benchmark.running import FinishedCase
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.colour import to_oklab
from step1x_edit.measures.edit_gain import edit_gain, summarised
from step1x_edit.measures.masks import box_around
from step1x_edit.measures.preservation import mean_where, outside, psnr
from step1x_edit.schema.score import CaseScore, TaskSummary
from step1x_edit.schema.tasks import EditTask

__all__ = ["score_case", "summarise"]

Rgb = UInt8[np.ndarray, "height width 3"]
Region = Bool[np.ndarray, "height width"]
LEAST_OUTSIDE = 0.05
"""Share of the picture that must lie outside the region for preservation to be measured."""
LEAST_CHANGE = 0.01
"""Change of mean colour (OKLab) in the target from which it has a direction."""
DIRECTED = frozenset({EditTask.TONE_TRANSFORMATION, EditTask.COLOUR_ALTERATION, EditTask.BACKGROUND_CHANGE})
BROUGHT_IN = frozenset({EditTask.SUBJECT_ADDITION, EditTask.SUBJECT_REPLACEMENT})


def score_case(finished: FinishedCase, experts: ExpertSet) -> CaseScore:
    """Measure one result.

    Args:
        finished: The case and its result.
        experts: Whoever of ``perceptual`` and ``detect`` is absent leaves its measure open.
    """
    case, record = finished.case, finished.case.record
    untouched = outside(case.mask)
    measurable = untouched.mean() >= LEAST_OUTSIDE
    perceptual = None
    if measurable and experts.available("perceptual"):
        perceptual = mean_where(experts.perceptual(case.reference, finished.result), untouched)
    return CaseScore(
        uid=record.uid,
        task=record.task,
        detail=record.aux.detail,
        instruction=finished.instruction,
        seconds=finished.seconds,
        gain=edit_gain(finished.result, reference=case.reference, target=case.target, mask=case.mask),
        psnr_outside=psnr(case.reference, finished.result, where=untouched) if measurable else None,
        perceptual_outside=perceptual,
        object_right=_object_right(finished, experts),
        colour_direction=_direction(finished) if record.task in DIRECTED else None,
    )


def summarise(scores: Sequence[CaseScore]) -> tuple[TaskSummary, ...]:
    """Return one summary for each task that has cases, in the paper's order, and a last one over tasks alike."""
    tasks = [task for task in EditTask if any(one.task is task for one in scores)]
    parts = [_summary(task, [one for one in scores if one.task is task]) for task in tasks]
    overall = TaskSummary(
        task=None,
        cases=len(scores),
        gain_mean=fmean(one.gain_mean for one in parts),
        gain_median=fmean(one.gain_median for one in parts),
        psnr_outside=_mean(one.psnr_outside for one in parts),
        perceptual_outside=_mean(one.perceptual_outside for one in parts),
        object_right=_mean(one.object_right for one in parts),
        object_cases=sum(one.object_cases for one in parts),
        colour_direction=_mean(one.colour_direction for one in parts),
    )
    return (*parts, overall)


def _summary(task: EditTask, scores: Sequence[CaseScore]) -> TaskSummary:
    gains = summarised([one.gain for one in scores])
    assert gains is not None
    told = [one.object_right for one in scores if one.object_right is not None]
    return TaskSummary(
        task=task,
        cases=gains.cases,
        gain_mean=gains.mean,
        gain_median=gains.median,
        psnr_outside=_mean(one.psnr_outside for one in scores),
        perceptual_outside=_mean(one.perceptual_outside for one in scores),
        object_right=fmean(told) if told else None,
        object_cases=len(told),
        colour_direction=_mean(one.colour_direction for one in scores),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _direction(finished: FinishedCase) -> float | None:
    """Return the cosine between the asked and the made change of mean colour; 0 where none was made."""
    case = finished.case
    before, asked, made = (
        to_oklab(picture[case.mask]).mean(axis=0) for picture in (case.reference, case.target, finished.result)
    )
    asked, made = asked - before, made - before
    if np.linalg.norm(asked) < LEAST_CHANGE:
        return None
    return float(asked @ made / (np.linalg.norm(asked) * max(float(np.linalg.norm(made)), LEAST_CHANGE)))


def _object_right(finished: FinishedCase, experts: ExpertSet) -> bool | None:
    """Tell whether the object is there or gone; none where the detector does not tell it on the known pictures either."""
    case, task = finished.case, finished.case.record.task
    removed = task is EditTask.SUBJECT_REMOVAL
    if not (removed or task in BROUGHT_IN) or not experts.available("detect"):
        return None
    name = case.record.aux.detail if task is EditTask.SUBJECT_REPLACEMENT else case.record.aux.subject
    known = [_found(name, picture, case.mask, experts) for picture in (case.reference, case.target)]
    if known != ([True, False] if removed else [False, True]):
        return None
    return _found(name, finished.result, case.mask, experts) != removed


def _found(name: str, picture: Rgb, mask: Region, experts: ExpertSet) -> bool:
    """Tell whether an object of this name has the middle of its box inside the region's box."""
    region = box_around(mask)
    if region is None:
        return False
    middles = [
        ((one.box[0] + one.box[2]) / 2, (one.box[1] + one.box[3]) / 2)
        for one in experts.detect(picture)
        if one.label == name
    ]
    return any(region.left <= x <= region.right and region.top <= y <= region.bottom for x, y in middles)
