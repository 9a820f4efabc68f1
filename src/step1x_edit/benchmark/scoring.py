"""Scores of edits whose target is known: measures inside and outside the region, and whether objects came or went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np

from step1x_edit.benchmark.recognition import Recogniser
from step1x_edit.benchmark.running import FinishedCase
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.colour import to_oklab
from step1x_edit.measures.edit_gain import edit_gain, summarised
from step1x_edit.measures.preservation import mean_where, outside, psnr
from step1x_edit.schema.score import CaseScore, Rates, Sighting, TaskSummary
from step1x_edit.schema.tasks import EditTask

__all__ = ["gone_text", "recognised_text", "score_case", "summarise"]

LEAST_OUTSIDE = 0.05
"""Share of the picture that must lie outside the region for preservation to be measured."""
LEAST_CHANGE = 0.01
"""Change of mean colour (OKLab) in the target from which it has a direction."""
DIRECTED = frozenset({EditTask.TONE_TRANSFORMATION, EditTask.COLOUR_ALTERATION, EditTask.BACKGROUND_CHANGE})
BRINGS_IN = frozenset({EditTask.SUBJECT_ADDITION, EditTask.SUBJECT_REPLACEMENT})
TAKES_OUT = frozenset({EditTask.SUBJECT_REMOVAL, EditTask.SUBJECT_REPLACEMENT})
LOCAL = frozenset(
    {
        EditTask.SUBJECT_ADDITION,
        EditTask.SUBJECT_REMOVAL,
        EditTask.SUBJECT_REPLACEMENT,
        EditTask.COLOUR_ALTERATION,
        EditTask.MATERIAL_MODIFICATION,
    }
)
"""Edits of one object: everything around it must stay."""


def score_case(finished: FinishedCase, experts: ExpertSet, recogniser: Recogniser) -> CaseScore:
    """Measure one result.

    Args:
        finished: The case and its result.
        experts: Without ``perceptual`` its measure stays open.
        recogniser: Without its expert objects are not looked for.
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
        recognised=_seen(_brought_in(finished), finished, recogniser),
        gone=_gone(finished, recogniser),
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
        psnr_outside=_mean(one.psnr_outside for one in parts if one.task in LOCAL),
        perceptual_outside=_mean(one.perceptual_outside for one in parts),
        recognised=_rates(one.recognised for one in scores),
        gone=_rates(one.gone for one in scores),
        colour_direction=_mean(one.colour_direction for one in parts),
    )
    return (*parts, overall)


def recognised_text(summary: TaskSummary) -> str:
    """Say in how many cases the object asked for is recognised: of results, and in brackets of targets and references."""
    return _rates_text(summary.recognised, looked_for=summary.task in BRINGS_IN)


def gone_text(summary: TaskSummary) -> str:
    """Say in how many cases the old object is gone: of results, and in brackets of targets and references."""
    return _rates_text(summary.gone, looked_for=summary.task in TAKES_OUT)


def _rates_text(rates: Rates | None, *, looked_for: bool) -> str:
    if rates is None:
        return "not run" if looked_for else "–"
    return f"{rates.result:.0%} ({rates.target:.0%}, {rates.reference:.0%})"


def _summary(task: EditTask, scores: Sequence[CaseScore]) -> TaskSummary:
    gains = summarised([one.gain for one in scores])
    assert gains is not None
    return TaskSummary(
        task=task,
        cases=gains.cases,
        gain_mean=gains.mean,
        gain_median=gains.median,
        psnr_outside=_mean(one.psnr_outside for one in scores),
        perceptual_outside=_mean(one.perceptual_outside for one in scores),
        recognised=_rates(one.recognised for one in scores),
        gone=_rates(one.gone for one in scores),
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


def _rates(sightings: Iterable[Sighting | None]) -> Rates | None:
    told = [one for one in sightings if one is not None]
    if not told:
        return None
    result, target, reference = (
        fmean(known) for known in zip(*((one.result, one.target, one.reference) for one in told), strict=True)
    )
    return Rates(result=result, target=target, reference=reference, cases=len(told))


def _brought_in(finished: FinishedCase) -> str | None:
    record = finished.case.record
    if record.task is EditTask.SUBJECT_REPLACEMENT:
        return record.aux.detail
    return record.aux.subject if record.task is EditTask.SUBJECT_ADDITION else None


def _gone(finished: FinishedCase, recogniser: Recogniser) -> Sighting | None:
    record = finished.case.record
    if record.task not in TAKES_OUT:
        return None
    seen = _seen(record.aux.subject, finished, recogniser)
    return None if seen is None else Sighting(**{name: not value for name, value in seen.model_dump().items()})


def _seen(name: str | None, finished: FinishedCase, recogniser: Recogniser) -> Sighting | None:
    """Look for an object in the region of all three pictures; none where it or the expert is unknown."""
    case = finished.case
    if name is None:
        return None
    pictures = {"result": finished.result, "target": case.target, "reference": case.reference}
    seen = {which: recogniser.shows(name, picture, case.mask) for which, picture in pictures.items()}
    return Sighting.model_validate(seen) if None not in seen.values() else None
