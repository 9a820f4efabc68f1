"""Filters let good pairs through and name what is wrong with broken ones, in both directions and for every task."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spoilt_pairs import (
    blurred,
    coloured,
    disc,
    good_pair,
    photograph,
    reencoded,
    shifted,
    unchanged,
    with_target,
    wrongly_coloured,
)

from step1x_edit.data_engine.filters.appearance import ShapeKept
from step1x_edit.data_engine.filters.chain import BY_TASK, chain, judge
from step1x_edit.data_engine.filters.common import ChangedArea
from step1x_edit.data_engine.filters.objects import HoleSharpness
from step1x_edit.data_engine.filters.thresholds import with_thresholds
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Box

TASKS = tuple(BY_TASK)
LOCAL = tuple(task for task in TASKS if task not in (EditTask.STYLE_TRANSFER, EditTask.TONE_TRANSFORMATION))


def failures(pair: EditPair) -> set[str]:
    """All filters that say no, those behind the first one too."""
    decisions = [one.decide(pair, None) for one in chain(pair.task)]
    return {one.filter for one in decisions if one.passed is False}


@pytest.mark.parametrize("task", TASKS)
def test_a_good_pair_passes_every_filter_of_its_task(task: EditTask) -> None:
    assert failures(good_pair(task)) == set()


@pytest.mark.parametrize("task", TASKS)
def test_a_pair_in_which_nothing_happened_is_rejected(task: EditTask) -> None:
    assert {"unchanged", "changed-area"} <= failures(unchanged(good_pair(task)))


@pytest.mark.parametrize("task", [task for task in TASKS if task is not EditTask.STYLE_TRANSFER])
def test_a_target_that_lies_one_pixel_beside_is_rejected(task: EditTask) -> None:
    assert "alignment" in failures(shifted(good_pair(task)))


@pytest.mark.parametrize("task", [task for task in TASKS if task is not EditTask.STYLE_TRANSFER])
def test_a_blurred_target_is_rejected(task: EditTask) -> None:
    assert "fineness-kept" in failures(blurred(good_pair(task)))


@pytest.mark.parametrize("task", LOCAL)
def test_a_reencoded_target_is_rejected_by_what_it_did_outside_the_mask(task: EditTask) -> None:
    assert "psnr-outside" in failures(reencoded(good_pair(task)))


def test_a_reencoded_change_of_tone_is_rejected_by_its_blocks() -> None:
    assert "not-reencoded" in failures(reencoded(good_pair(EditTask.TONE_TRANSFORMATION)))


def test_a_reference_image_that_was_only_reencoded_is_no_edit() -> None:
    for task in TASKS:
        assert failures(reencoded(unchanged(good_pair(task))))


@pytest.mark.parametrize("task", [EditTask.COLOUR_ALTERATION, EditTask.BACKGROUND_CHANGE])
def test_a_colour_that_was_not_asked_for_is_rejected(task: EditTask) -> None:
    assert "colour-reached" in failures(wrongly_coloured(good_pair(task)))


def test_a_tone_that_moved_the_other_way_is_rejected() -> None:
    pair = good_pair(EditTask.TONE_TRANSFORMATION)
    assert "tone-direction" in failures(replace(pair, detail="day"))
    other_way = replace(pair, reference=pair.target, target=pair.reference)
    assert "tone-direction" in failures(other_way)


def test_a_colour_that_hardly_moved_is_rejected() -> None:
    pair = good_pair(EditTask.COLOUR_ALTERATION)
    nearly = coloured(pair.reference, pair.changed, 30)
    assert "appearance-moved" in failures(with_target(pair, nearly))


def test_a_colour_that_lost_its_shading_is_rejected() -> None:
    pair = good_pair(EditTask.COLOUR_ALTERATION)
    flat = np.where(pair.changed[..., None], np.array([30, 60, 200], dtype=np.uint8), pair.reference)
    other = np.where(pair.changed[..., None], coloured(photograph(9), pair.changed, 264), pair.reference)
    assert "lightness-kept" in failures(with_target(pair, other))
    assert "lightness-kept" in failures(with_target(pair, flat))


def test_another_object_is_no_other_material() -> None:
    pair = good_pair(EditTask.MATERIAL_MODIFICATION)
    other = np.where(pair.changed[..., None], coloured(photograph(9), pair.changed, 85), pair.reference)
    assert "shape-kept" in failures(with_target(pair, other))
    assert with_thresholds(ShapeKept, "shape-kept", pair.task).decide(pair, None).passed


def test_another_picture_is_no_other_style() -> None:
    assert "edges-agree" in failures(with_target(good_pair(EditTask.STYLE_TRANSFER), photograph(9)))


def test_a_background_changed_in_part_is_rejected() -> None:
    pair = good_pair(EditTask.BACKGROUND_CHANGE)
    half = pair.target.copy()
    half[:160] = pair.reference[:160]
    assert "background-replaced" in failures(with_target(pair, half))


def test_a_foreground_that_changed_is_rejected() -> None:
    pair = good_pair(EditTask.BACKGROUND_CHANGE)
    other = np.where(pair.changed[..., None], pair.target, photograph(7))
    assert "foreground-kept" in failures(with_target(pair, other))


def test_a_smeared_and_a_noisy_hole_are_rejected_and_a_smooth_sky_is_not() -> None:
    pair = good_pair(EditTask.SUBJECT_REMOVAL)
    hole = with_thresholds(HoleSharpness, "hole-sharpness", pair.task)
    noise = np.random.default_rng(0).normal(0, 30, pair.target.shape)
    noisy = np.where(pair.changed[..., None], np.clip(pair.target + noise, 0, 255).astype(np.uint8), pair.target)
    smeared = np.where(pair.changed[..., None], blurred(blurred(pair)).target, pair.target)
    assert hole.decide(with_target(pair, smeared), None).passed is False
    assert hole.decide(with_target(pair, noisy), None).passed is False
    assert hole.decide(pair, None).passed
    # Less detail of the same fineness: the place happens to be calmer than its surround.
    calm = np.where(pair.changed[..., None], (0.2 * pair.target + 120).astype(np.uint8), pair.target)
    assert hole.decide(with_target(pair, calm), None).passed


def test_a_new_object_elsewhere_does_not_replace_the_old_one() -> None:
    pair = good_pair(EditTask.SUBJECT_REPLACEMENT)
    away = Box(label="car", left=0.0, top=0.0, right=0.2, bottom=0.2)
    assert "boxes-overlap" in failures(replace(pair, boxes=(pair.boxes[0], away)))
    assert "boxes-overlap" not in failures(replace(pair, boxes=()))


def test_specks_and_whole_pictures_are_no_objects() -> None:
    pair = good_pair(EditTask.SUBJECT_ADDITION)
    for radius in (0.01, 0.6):
        assert "mask-share" in failures(replace(pair, changed=disc(radius)))


def test_pictures_of_two_sizes_or_too_small_ones_are_rejected_first() -> None:
    pair = good_pair(EditTask.SUBJECT_ADDITION)
    cropped = good_pair(EditTask.SUBJECT_ADDITION)
    # The shape checks of the tests would refuse to make such a pair.
    object.__setattr__(cropped, "target", pair.target[:, :-1])
    cropped = judge(cropped, None)
    assert [one.filter for one in cropped.decisions] == ["equal-sizes"]
    assert "255 x 256" in cropped.decisions[0].reason
    filters = chain(pair.task, smallest_px=512)
    failure = judge(pair, None, filters=filters).failure
    assert failure is not None
    assert (failure.filter, failure.value, failure.threshold) == ("size", 256, 512)


def test_judging_stops_at_the_first_failure_and_gives_its_reason() -> None:
    judged = judge(unchanged(good_pair(EditTask.SUBJECT_ADDITION)), None)
    assert judged.failure is judged.decisions[-1]
    assert judged.decisions[-1].filter == "unchanged"
    assert judged.decisions[-1].reason == "The mean change inside the mask is 0, less than 0.01."


@pytest.mark.parametrize("task", TASKS)
def test_a_filter_whose_expert_is_absent_is_recorded_as_not_run(task: EditTask) -> None:
    judged = judge(good_pair(task), None)
    assert judged.failure is None
    assert [one.filter for one in judged.decisions] == [kind.name for kind in BY_TASK[task]]
    for one in judged.decisions:
        if one.filter in {"object-found", "object-gone", "perceptual-outside", "features-differ"}:
            assert one.passed is None
            assert "is absent" in one.reason


def test_judging_fills_the_scores_that_were_measured() -> None:
    scores = judge(good_pair(EditTask.SUBJECT_ADDITION), None).scores
    assert scores.changed_area is not None
    assert 0.1 < scores.changed_area < 0.3
    assert scores.psnr_outside == 100
    assert scores.ssim_outside == pytest.approx(1)
    assert scores.shift_px is not None
    assert scores.shift_px < 0.1
    assert scores.perceptual_outside is None
    assert scores.features_cosine is None


def test_a_task_may_have_thresholds_of_its_own() -> None:
    usual = with_thresholds(ChangedArea, "changed-area", EditTask.SUBJECT_ADDITION)
    assert usual.above_levels == 40
    assert with_thresholds(ChangedArea, "changed-area", EditTask.TONE_TRANSFORMATION).above_levels == 12
