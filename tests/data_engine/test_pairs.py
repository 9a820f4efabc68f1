"""The stream of pairs: repeatable, honest about what changed, and worded for what was done."""

from __future__ import annotations

import numpy as np
import pytest

from step1x_edit.data_engine.instructions import colours, places
from step1x_edit.data_engine.instructions.checks import sides_agree
from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.pair import WordedPair, collate, mirrored
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.scene import render
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.stream import PairStream
from step1x_edit.errors import DataError
from step1x_edit.schema.tasks import EditTask

LOCAL = (
    EditTask.SUBJECT_ADDITION,
    EditTask.SUBJECT_REMOVAL,
    EditTask.SUBJECT_REPLACEMENT,
    EditTask.COLOUR_ALTERATION,
    EditTask.BACKGROUND_CHANGE,
)


@pytest.fixture(scope="module")
def stream(pool: Pool) -> PairStream:
    return PairStream(pool, seed=5, size=64)


def pairs_of(stream: PairStream, task: EditTask, count: int = 24) -> list[WordedPair]:
    return [stream.of_task(task, index) for index in range(count)]


def difference(pair: WordedPair) -> np.ndarray:
    return (pair.reference != pair.target).any(axis=-1)


def test_a_pair_is_the_same_whenever_its_number_is_asked_for(pool: Pool, stream: PairStream) -> None:
    again = PairStream(pool, seed=5, size=64)
    for index in (7, 0, 3):
        one, two = stream[index], again[index]
        assert one.instruction == two.instruction
        assert np.array_equal(one.reference, two.reference)
        assert np.array_equal(one.target, two.target)
    assert PairStream(pool, seed=6, size=64)[7].instruction != stream[7].instruction


def test_two_workers_share_the_row_of_pairs_between_them(pool: Pool, stream: PairStream) -> None:
    workers = [iter(PairStream(pool, seed=5, size=64, first=first, step=2)) for first in (0, 1)]
    dealt = [next(workers[index % 2]).instruction for index in range(6)]
    assert dealt == [stream[index].instruction for index in range(6)]


@pytest.mark.parametrize("task", LOCAL)
def test_a_local_edit_changes_nothing_outside_its_mask(stream: PairStream, task: EditTask) -> None:
    for pair in pairs_of(stream, task):
        assert not (difference(pair) & ~pair.changed).any()


def test_a_task_whose_recipe_refuses_every_picture_is_said_to_have_none(stream: PairStream) -> None:
    with pytest.raises(DataError, match="no pair of style_change"):
        stream.of_task(EditTask.STYLE_TRANSFER, 0)  # The pool's smooth drawings have no edges to keep.


@pytest.mark.parametrize("task", [task for task in mixture().tasks if task is not EditTask.STYLE_TRANSFER])
def test_every_edit_can_be_seen(stream: PairStream, task: EditTask) -> None:
    for pair in pairs_of(stream, task):
        assert difference(pair).mean() > 0.01


@pytest.mark.parametrize("task", LOCAL[:4])
def test_the_mask_of_a_local_edit_is_a_part_of_the_picture(stream: PairStream, task: EditTask) -> None:
    for pair in pairs_of(stream, task):
        assert 0 < pair.changed.mean() < 0.75


def test_an_added_object_lies_where_the_instruction_says(stream: PairStream) -> None:
    seen = set()
    for pair in pairs_of(stream, EditTask.SUBJECT_ADDITION, 120):
        if pair.wish.place is None:
            continue
        spoken = pair.wish.place
        seen.add(spoken.name)
        # The shadow is faint: where the picture changed strongly, there the object is.
        strong = np.abs(pair.target.astype(int) - pair.reference).max(axis=-1) > 40
        rows, columns = np.nonzero(strong & pair.changed)
        x, y = columns.mean() / 64, rows.mean() / 64
        for word, position, low in (("left", x, True), ("right", x, False), ("top", y, True), ("bottom", y, False)):
            if word in spoken.name:
                assert (position < 0.46) if low else (position > 0.54), pair.instruction
        assert sides_agree(pair.instruction, pair.wish, pair.language), pair.instruction
    assert seen == set(places())


def test_mirroring_swaps_left_and_right_in_picture_and_wish(stream: PairStream) -> None:
    for pair in pairs_of(stream, EditTask.SUBJECT_ADDITION, 150):
        if pair.wish.place is None or pair.wish.place.name not in ("left", "right"):
            continue
        other = mirrored(pair)
        assert other.wish.place is not None
        assert {pair.wish.place.name, other.wish.place.name} == {"left", "right"}
        assert np.array_equal(other.reference[:, ::-1], pair.reference)
        assert mirrored(other).wish == pair.wish


@pytest.mark.parametrize("task", LOCAL[:4])
def test_the_instruction_names_the_object(stream: PairStream, task: EditTask) -> None:
    for pair in pairs_of(stream, task, 60):
        what = pair.wish.subject
        assert what is not None
        names = what.names if pair.language == "en" else what.zh_names
        assert any(name in pair.instruction.lower() for name in names), pair.instruction


def test_the_instruction_names_the_colour(stream: PairStream) -> None:
    for task in (EditTask.COLOUR_ALTERATION, EditTask.BACKGROUND_CHANGE):
        for pair in pairs_of(stream, task, 60):
            colour = colours()[pair.detail]
            assert any(word in pair.instruction.lower() for word in (*colour.en, *colour.zh)), pair.instruction


def test_both_languages_come_up_and_keep_apart(stream: PairStream) -> None:
    pairs = [stream[index] for index in range(80)]
    chinese = [any("\u4e00" <= letter <= "\u9fff" for letter in pair.instruction) for pair in pairs]
    assert [pair.language == "zh" for pair in pairs] == chinese
    assert 0.15 < np.mean(chinese) < 0.55


def test_a_removed_object_leaves_the_clean_photograph(pool: Pool) -> None:
    stage = Stage(pool, size=64, split="train")
    for index in range(12):
        scene = stage.scene(np.random.default_rng(index), count=1)
        assert np.array_equal(render(scene.background, []), scene.background)
        assert not np.array_equal(render(scene.background, scene.objects), scene.background)


def test_a_photographs_own_subject_is_a_scene_that_renders_as_the_photograph(pool: Pool) -> None:
    stage = Stage(pool, size=64, split="train")
    for index in range(6):
        scene = stage.photographed_subject(np.random.default_rng(index), recolourable=True)
        assert scene is not None
        (subject,) = scene.objects
        assert subject.what.name == "car"
        assert subject.alpha.mean() > 0.1
        rendered = render(scene.background, scene.objects)
        # Along the rim the reduced subject keeps to its own colour; everywhere else it is the photograph.
        assert np.abs(rendered.astype(int) - scene.background).mean() < 1
        assert np.array_equal(rendered[subject.alpha[..., 0] == 0], scene.background[subject.alpha[..., 0] == 0])


def test_an_object_before_a_plain_colour_stands_on_exactly_that_colour(stream: PairStream) -> None:
    for pair in pairs_of(stream, EditTask.BACKGROUND_CHANGE):
        plain = (pair.target == colours()[pair.detail].rgb).all(axis=-1)
        assert plain.mean() > 0.4


def test_pairs_stack_into_a_batch(stream: PairStream) -> None:
    batch = collate([stream[index] for index in range(3)])
    assert batch.reference.shape == batch.target.shape == (3, 64, 64, 3)
    assert batch.changed.shape == (3, 64, 64)
    assert batch.instructions == tuple(stream[index].instruction for index in range(3))


def test_a_split_without_pictures_is_refused_with_what_to_do(pool: Pool) -> None:
    with pytest.raises(DataError, match="use the other split"):
        PairStream(pool, seed=0, size=64, split="held_out")
