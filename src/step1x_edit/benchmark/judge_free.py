"""Judge-free measures: what can be said of an edit without asking a judge, for every set of cases.

They see what a judge forgives: a picture of another size, a scene that moved, a background that was painted anew, a face that
became another one, letters that are not the ones that were asked for. They do not see whether an edit is a good one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Literal, get_args

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from pydantic import BaseModel, ConfigDict

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.wanted_text import wanted_text
from step1x_edit.experts.answers import Face
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.change import changed_area, changed_pixels
from step1x_edit.measures.colour import luma
from step1x_edit.measures.faces import landmark_distance, matched_boxes
from step1x_edit.measures.lettering import read_back
from step1x_edit.measures.masks import PixelBox
from step1x_edit.measures.preservation import outside, psnr
from step1x_edit.measures.shift import global_shift
from step1x_edit.measures.structure import ssim
from step1x_edit.schema.judged import CaseId
from step1x_edit.schema.tasks import EditTask

__all__ = ["MEASURES", "JudgeFreeScores", "JudgeFreeSummary", "Known", "measure_edit", "summarise_judge_free"]

Rgb = UInt8[np.ndarray, "height width 3"]
Measure = Literal[
    "size_kept",
    "shift_px",
    "changed",
    "structure",
    "changed_outside",
    "psnr_outside",
    "faces_kept",
    "face_distance",
    "text_present",
    "text_left",
]
MEASURES: tuple[Measure, ...] = get_args(Measure)
VISIBLE_LEVELS = 12
"""Of 255: a channel's difference that is seen; what JPEG and an autoencoder change in smooth parts lies below."""
LEAST_OUTSIDE = 0.05
"""Share of the picture that must lie outside the region for what happened there to be measured."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class JudgeFreeScores(_Record):
    """Measures of one edited picture. ``None``: the case has no such thing, or the expert is absent."""

    case: CaseId
    size_kept: float
    """1 where the picture has the source's size; otherwise 0, and it was resized for the other measures, as for a judge."""
    shift_px: float | None
    """How far the scene as a whole moved, outside the region where that is known."""
    changed: float
    """Share of the pixels that changed visibly, 0..1."""
    structure: float | None
    """Structural similarity of source and edited picture in grey, -1..1."""
    changed_outside: float | None = None
    """Share of the pixels outside the region that changed visibly."""
    psnr_outside: float | None = None
    """Preservation outside the region in dB, 100 where nothing changed."""
    faces_kept: float | None = None
    """Share of the source's faces that are found in the same place."""
    face_distance: float | None = None
    """Mean distance of the forms of faces that were found again: 0 is the same form."""
    text_present: float | None = None
    """Text cases: how much of the wanted text was read, 0..1."""
    text_left: float | None = None
    """Text cases: how much of the text that was to go was read, 0..1."""


class Known(_Record):
    """A mean over the cases that have the measure."""

    mean: float
    cases: int


class JudgeFreeSummary(_Record):
    """Means of a task, or of all cases."""

    task: EditTask | None
    cases: int
    means: dict[Measure, Known]


def measure_edit(case: JudgeableCase, edited: Image.Image, experts: ExpertSet) -> JudgeFreeScores:
    """Measure one edited picture.

    Args:
        case: Source, instruction, and the region where it is known.
        edited: What the editor made.
        experts: Without ``face_landmarks`` and ``read_text`` their measures stay open.
    """
    source = case.open_source().convert("RGB")
    before = np.asarray(source)
    after = np.asarray(edited.convert("RGB").resize(source.size, Image.Resampling.BICUBIC))
    region = case.region() if case.region is not None else None
    kept = outside(region) if region is not None else None
    seen = kept is not None and kept.mean() >= LEAST_OUTSIDE
    changed = changed_pixels(before, after, above_levels=VISIBLE_LEVELS)
    shift = global_shift(before, after, ignore=region)
    return JudgeFreeScores(
        case=case.id,
        size_kept=float(edited.size == source.size),
        shift_px=None if shift is None else shift.length_px,
        changed=changed_area(changed),
        structure=ssim(luma(before), luma(after)),
        changed_outside=float(changed[kept].mean()) if kept is not None and seen else None,
        psnr_outside=psnr(before, after, where=kept) if kept is not None and seen else None,
        **_faces(before, after, experts),
        **_lettering(case, after, experts),
    )


def summarise_judge_free(scores: Sequence[JudgeFreeScores]) -> tuple[JudgeFreeSummary, ...]:
    """Return the means of each task that has cases, in the paper's order, and last of all cases alike."""
    tasks = [task for task in EditTask if any(one.case.task is task for one in scores)]
    parts = [_summary(task, [one for one in scores if one.case.task is task]) for task in tasks]
    return (*parts, _summary(None, scores))


def _summary(task: EditTask | None, scores: Sequence[JudgeFreeScores]) -> JudgeFreeSummary:
    means: dict[Measure, Known] = {}
    for measure in MEASURES:
        mean = _known(getattr(one, measure) for one in scores)
        if mean is not None:
            means[measure] = mean
    return JudgeFreeSummary(task=task, cases=len(scores), means=means)


def _known(values: Iterable[float | None]) -> Known | None:
    known = [value for value in values if value is not None]
    return Known(mean=fmean(known), cases=len(known)) if known else None


def _faces(before: Rgb, after: Rgb, experts: ExpertSet) -> dict[str, float | None]:
    if not experts.available("face_landmarks"):
        return {}
    first = experts.face_landmarks(before)
    if not first:
        return {}
    second = experts.face_landmarks(after)
    pairs = matched_boxes([_box(face) for face in first], [_box(face) for face in second])
    distances = (landmark_distance(first[i].landmarks, second[j].landmarks) for i, j in pairs)
    known = _known(distances)
    return {"faces_kept": len(pairs) / len(first), "face_distance": None if known is None else known.mean}


def _box(face: Face) -> PixelBox:
    left, top, right, bottom = face.box
    return PixelBox(left=left, top=top, right=right, bottom=bottom)


def _lettering(case: JudgeableCase, after: Rgb, experts: ExpertSet) -> dict[str, float | None]:
    wanted = wanted_text(case.instruction) if case.id.task is EditTask.TEXT_MODIFICATION else None
    if wanted is None or not experts.available("read_text"):
        return {}
    read = "\n".join(line.text for line in experts.read_text(after))
    present, left = (_known(read_back(text, read) for text in texts) for texts in (wanted.present, wanted.absent))
    return {"text_present": present and present.mean, "text_left": left and left.mean}
