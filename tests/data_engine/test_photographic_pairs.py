"""Pairs of the photographic stage: exact outside their mask, both ways on photographs, and told where they come from."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_experts import DrawnExperts
from drawn_pool import portrait

from step1x_edit.data_engine.compositing.emptying import Emptied, emptied, hole_of, matte_refusal
from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.recipes import RECIPES
from step1x_edit.data_engine.scene import footprint
from step1x_edit.data_engine.stages.photographic import PhotographicStage
from step1x_edit.schema.tasks import EditTask

pytest.importorskip("cv2", reason="compositing needs the extra `data`")
TASKS = (
    EditTask.SUBJECT_ADDITION,
    EditTask.SUBJECT_REMOVAL,
    EditTask.SUBJECT_REPLACEMENT,
    EditTask.BACKGROUND_CHANGE,
)


@pytest.fixture(scope="module")
def stage(pool: Pool) -> PhotographicStage:
    return PhotographicStage(pool, size=96, split="train", experts=DrawnExperts())


def pairs_of(stage: PhotographicStage, task: EditTask, count: int = 16) -> list[EditPair]:
    made = [RECIPES[task](stage, np.random.default_rng([9, index])) for index in range(count)]
    return [one for one in made if isinstance(one, EditPair)]


def is_photographed(pair: EditPair) -> bool:
    return [one.stage for one in pair.stages][:2] == ["matte", "inpaint"]


@pytest.mark.parametrize("task", TASKS)
def test_outside_the_mask_both_pictures_are_equal_to_the_bit(stage: PhotographicStage, task: EditTask) -> None:
    pairs = pairs_of(stage, task)
    assert len(pairs) >= 8
    for pair in pairs:
        different = (pair.reference != pair.target).any(axis=-1)
        assert different.any()
        assert not (different & ~pair.changed).any()


@pytest.mark.parametrize("task", TASKS)
def test_a_pair_names_its_pictures_parts_and_boxes(pool: Pool, stage: PhotographicStage, task: EditTask) -> None:
    known = {one.id for one in pool.pictures}
    for pair in pairs_of(stage, task):
        assert pair.sources and set(pair.sources) <= known
        assert pair.stages and all(one.part and one.version for one in pair.stages)
        assert pair.boxes and all(box.left < box.right and box.top < box.bottom for box in pair.boxes)


@pytest.mark.parametrize("task", TASKS)
def test_a_pair_is_the_same_each_time(stage: PhotographicStage, task: EditTask) -> None:
    one, two = (pairs_of(stage, task, 4) for _ in range(2))
    assert all(np.array_equal(first.target, second.target) for first, second in zip(one, two, strict=True))


def test_photographs_are_used_both_ways(stage: PhotographicStage) -> None:
    removed = next(filter(is_photographed, pairs_of(stage, EditTask.SUBJECT_REMOVAL, 40)))
    added = next(filter(is_photographed, pairs_of(stage, EditTask.SUBJECT_ADDITION, 40)))
    for pair, photo, empty in ((removed, removed.reference, removed.target), (added, added.target, added.reference)):
        box = next(one for one in pair.boxes if one.label == "car")
        x, y = int(96 * (box.left + box.right) / 2), int(96 * (0.7 * box.top + 0.3 * box.bottom))
        assert photo[y, x].tolist() == pytest.approx([40, 70, 200], abs=2), "the drawn car's colour"
        assert np.array_equal(photo[~pair.changed], empty[~pair.changed])
        assert pair.changed[y, x]


def test_without_experts_every_pair_is_composed(pool: Pool) -> None:
    plain = PhotographicStage(pool, size=96, split="train")
    for task in TASKS[:3]:
        assert not any(is_photographed(pair) for pair in pairs_of(plain, task))


def test_what_replaces_a_subject_of_a_photograph_lies_in_the_mask_with_the_hole(stage: PhotographicStage) -> None:
    pair = next(filter(is_photographed, pairs_of(stage, EditTask.SUBJECT_REPLACEMENT, 40)))
    old, new = pair.boxes
    for box in (old, new):
        part = pair.changed[int(96 * box.top) + 2 : int(96 * box.bottom) - 2, int(96 * box.left) + 2 :]
        assert part.any()
    assert pair.detail == new.label != old.label


def test_objects_do_not_hide_each_other(stage: PhotographicStage) -> None:
    for index in range(20):
        scene = stage.scene(np.random.default_rng(index), count=3)
        masks = [footprint([one], (96, 96)) & False for one in scene.objects]
        for mask, one in zip(masks, scene.objects, strict=True):
            mask[one.box] |= one.alpha[..., 0] > 0.5
        for number, mask in enumerate(masks):
            later = np.any(masks[number + 1 :], axis=0) if masks[number + 1 :] else np.zeros_like(mask)
            assert (mask & later).sum() <= 0.6 * mask.sum()


def test_the_hole_covers_the_subject_and_the_shadow_at_its_feet() -> None:
    photo, rgba = (picture[:, 20:140] for picture in portrait(1))
    matte = rgba[..., 3].astype(np.float32) / 255
    photo = photo.copy()
    feet = np.zeros_like(matte, dtype=bool)
    feet[98:106, 78:98] = True
    photo[feet & (matte == 0)] //= 3
    hole = hole_of(photo, matte)
    assert hole[matte > 0.3].all()
    assert hole[feet].mean() > 0.8


def test_a_subject_that_fills_or_leaves_the_picture_is_refused_with_a_reason() -> None:
    large, cut = np.ones((64, 64), dtype=np.float32), np.zeros((64, 64), dtype=np.float32)
    cut[20:30] = 1
    unsure = np.zeros((64, 64), dtype=np.float32)
    unsure[20:40, 20:40] = 0.5
    for matte, word in ((large, "large"), (cut, "cut off"), (unsure, "unsure"), (0 * large, "small")):
        refusal = matte_refusal(matte)
        assert isinstance(refusal, Refusal) and word in refusal.reason


class Smearing(DrawnExperts):
    """Fills with one colour."""

    def inpaint(self, picture, mask):
        return np.where(mask[..., None], np.uint8(128), picture)


def test_a_filling_that_is_a_smear_is_refused_and_a_fitting_one_is_not() -> None:
    rng = np.random.default_rng(0)
    photo = np.clip(rng.normal(110, 30, (96, 96, 3)), 0, 255).astype(np.uint8)
    matte = np.zeros((96, 96), dtype=np.float32)
    matte[30:70, 30:60] = 1
    assert isinstance(emptied(photo, matte, Smearing(), rng), Refusal)
    outcome = emptied(photo, matte, DrawnExperts(), rng)
    assert isinstance(outcome, Emptied)
    assert np.array_equal(outcome.picture[~outcome.hole], photo[~outcome.hole])
