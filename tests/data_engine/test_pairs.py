"""Attempts at pairs on the plain stage: repeatable, honest about what changed, and worded for what was done."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from step1x_edit.data_engine.filters.filter import Judged
from step1x_edit.data_engine.instructions import colours, places
from step1x_edit.data_engine.objects import object_class
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.recipes import RECIPES
from step1x_edit.data_engine.run.attempt import AttemptMaker
from step1x_edit.data_engine.run.settings import RunSettings, TaskShare
from step1x_edit.data_engine.scene import render
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.errors import DataError
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import EditTriplet, Rejection, Scores, Split
from step1x_edit.store import EncodedTriplet

SIDE = 64
LOCAL = (
    EditTask.SUBJECT_ADDITION,
    EditTask.SUBJECT_REMOVAL,
    EditTask.SUBJECT_REPLACEMENT,
    EditTask.COLOUR_ALTERATION,
    EditTask.BACKGROUND_CHANGE,
)
Makers = Callable[..., AttemptMaker]


@pytest.fixture(scope="module")
def maker(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Makers:
    """Makers of attempts at one task: no filter says no, and no expert is at hand."""
    experts = EmbeddedExperts(tmp_path_factory.mktemp("no-parts"))

    def made(task: EditTask, *, seed: int = 5, split: Split = "train") -> AttemptMaker:
        settings = RunSettings(
            tasks=(TaskShare(task=task),), size=SIDE, seed=seed, split=split, photographic=False, seen_objects=True
        )
        return AttemptMaker(pool, settings, experts=experts, judge=lambda *_: Judged(decisions=(), scores=Scores()))

    return made


def pairs_of(maker: AttemptMaker, count: int = 24) -> list[EditPair]:
    made = [maker.pair(attempt) for attempt in range(count)]
    pairs = [one for one in made if isinstance(one, EditPair)]
    assert len(pairs) > 0.8 * count
    return pairs


def records_of(maker: AttemptMaker, count: int) -> list[EditTriplet]:
    made = [maker(attempt) for attempt in range(count)]
    records = [one.record for one in made if isinstance(one, EncodedTriplet)]
    assert len(records) > 0.8 * count
    return records


def difference(pair: EditPair) -> np.ndarray:
    return (pair.reference != pair.target).any(axis=-1)


@pytest.mark.parametrize("task", [task for task in RECIPES if task is not EditTask.MATERIAL_MODIFICATION])
def test_an_attempt_gives_the_same_whenever_its_number_is_asked_for(maker: Makers, task: EditTask) -> None:
    one, two = maker(task), maker(task)
    assert [one(attempt) for attempt in (7, 0, 3)] == [two(attempt) for attempt in (7, 0, 3)]


def test_another_seed_gives_other_pairs_and_words(maker: Makers) -> None:
    one, other = (records_of(maker(EditTask.SUBJECT_ADDITION, seed=seed), 8) for seed in (5, 6))
    assert not {record.source.sha256 for record in one} & {record.source.sha256 for record in other}
    assert {record.instruction_en for record in one} != {record.instruction_en for record in other}


@pytest.mark.parametrize("task", LOCAL)
def test_a_local_edit_changes_nothing_outside_its_mask(maker: Makers, task: EditTask) -> None:
    for pair in pairs_of(maker(task)):
        assert not (difference(pair) & ~pair.changed).any()


def test_a_task_whose_recipe_refuses_every_picture_has_only_rejections_that_say_why(maker: Makers) -> None:
    make = maker(EditTask.STYLE_TRANSFER)  # The pool's smooth drawings have nothing in them that shows a style.
    for outcome in map(make, range(8)):
        assert isinstance(outcome, Rejection)
        assert outcome.stage == "choose"
        assert outcome.value is not None and outcome.threshold is not None and outcome.value < outcome.threshold
        assert "too plain" in outcome.reason and outcome.provenance.sources


@pytest.mark.parametrize("task", (*LOCAL, EditTask.TONE_TRANSFORMATION))
def test_every_edit_can_be_seen(maker: Makers, task: EditTask) -> None:
    for pair in pairs_of(maker(task)):
        assert difference(pair).mean() > 0.01


@pytest.mark.parametrize("task", LOCAL[:4])
def test_the_mask_of_a_local_edit_is_a_part_of_the_picture(maker: Makers, task: EditTask) -> None:
    for pair in pairs_of(maker(task)):
        assert 0 < pair.changed.mean() < 0.75


def test_an_added_object_lies_where_the_wish_says(maker: Makers) -> None:
    seen = set()
    for pair in pairs_of(maker(EditTask.SUBJECT_ADDITION), 120):
        if pair.wish.place is None:
            continue
        spoken = pair.wish.place
        seen.add(spoken.name)
        # The shadow is faint: where the picture changed strongly, there the object is.
        strong = np.abs(pair.target.astype(int) - pair.reference).max(axis=-1) > 40
        rows, columns = np.nonzero(strong & pair.changed)
        x, y = columns.mean() / SIDE, rows.mean() / SIDE
        for word, position, low in (("left", x, True), ("right", x, False), ("top", y, True), ("bottom", y, False)):
            if word in spoken.name:
                assert (position < 0.46) if low else (position > 0.54), spoken.name
    assert seen == set(places())


@pytest.mark.parametrize("task", LOCAL[:4])
def test_the_instructions_name_the_object(maker: Makers, task: EditTask) -> None:
    for record in records_of(maker(task), 24):
        what = object_class(record.aux.subject)
        assert any(name in record.instruction_en.lower() for name in what.names), record.instruction_en
        assert any(name in record.instruction_cn for name in what.zh_names), record.instruction_cn


@pytest.mark.parametrize("task", [EditTask.COLOUR_ALTERATION, EditTask.BACKGROUND_CHANGE])
def test_the_instructions_name_the_colour(maker: Makers, task: EditTask) -> None:
    for record in records_of(maker(task), 24):
        colour = colours()[record.aux.detail]
        assert any(word in record.instruction_en.lower() for word in colour.en), record.instruction_en
        assert any(word in record.instruction_cn for word in colour.zh), record.instruction_cn


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


def test_an_object_before_a_plain_colour_stands_on_exactly_that_colour(maker: Makers) -> None:
    for pair in pairs_of(maker(EditTask.BACKGROUND_CHANGE)):
        plain = (pair.target == colours()[pair.detail].rgb).all(axis=-1)
        assert plain.mean() > 0.4


def test_a_split_without_pictures_is_refused_with_what_to_do(maker: Makers) -> None:
    with pytest.raises(DataError, match="use the other split"):
        maker(EditTask.SUBJECT_ADDITION, split="held_out")
