"""Lessons (`step1x data build --lessons`): the pictures of the run's split, seen from nearer by, one look for what comes in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from drawn_pool import CLASSES, figure, hills, pool_of, write_pool_files

from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.run.hire import Hire
from step1x_edit.data_engine.run.settings import RunSettings, TaskShare
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Split

pytest.importorskip("cv2", reason="compositing needs the extra `data`")
COUNT = 16
Making = Callable[..., list[EditPair]]


def schooled_pool() -> Pool:
    """Landscapes of both splits; of each class a small and a large figure in training, and a larger one held out."""
    return pool_of(
        [
            *((hills(number), "photo", None, "train") for number in range(3)),
            *((hills(number), "photo", None, "held_out") for number in (3, 4)),
            *(
                (figure(number).repeat(gain, 0).repeat(gain, 1), "cutout", name, "held_out" if gain == 3 else "train")
                for number, name in enumerate(CLASSES)
                for gain in (1, 2, 3)
            ),
        ]
    )


@pytest.fixture(scope="module")
def pairs_of(tmp_path_factory: pytest.TempPathFactory) -> Making:
    """Makes pairs as a build's worker does."""
    home = tmp_path_factory.mktemp("home")
    pool = write_pool_files(schooled_pool(), home / "pool")

    def made(task: EditTask, *, split: Split = "train", lessons: bool = True) -> list[EditPair]:
        settings = RunSettings(tasks=(TaskShare(task=task),), size=96, seed=4, split=split, seen_objects=lessons)
        maker = Hire(pool=pool, settings=settings, parts=home / "no-parts")()
        attempts = [maker.pair(attempt) for attempt in range(COUNT)]
        return [one for one in attempts if isinstance(one, EditPair)]

    return made


def sources_of(pairs: list[EditPair], *, kind: str) -> set[tuple[Split, int]]:
    """The split and the height of each picture of a kind that pairs are made from."""
    pictures = {one.id: one for one in schooled_pool().pictures}
    used = [pictures[one] for pair in pairs for one in pair.sources]
    return {(one.split, one.height) for one in used if one.kind == kind}


def test_lessons_of_training_show_training_pictures_and_bring_in_the_largest_look_of_each_class(
    pairs_of: Making,
) -> None:
    lessons = pairs_of(EditTask.SUBJECT_ADDITION)
    assert len(lessons) > COUNT / 2
    assert sources_of(lessons, kind="photo") == {("train", 120)}
    assert sources_of(lessons, kind="cutout") == {("train", 128)}
    other = pairs_of(EditTask.SUBJECT_ADDITION, lessons=False)
    assert sources_of(other, kind="cutout") == {("train", 64), ("train", 128)}


def test_what_is_there_already_may_have_any_look(pairs_of: Making) -> None:
    assert sources_of(pairs_of(EditTask.SUBJECT_REMOVAL), kind="cutout") == {("train", 64), ("train", 128)}


def test_held_out_lessons_put_the_objects_of_training_before_held_out_photographs(pairs_of: Making) -> None:
    lessons = pairs_of(EditTask.SUBJECT_ADDITION, split="held_out")
    assert len(lessons) > COUNT / 2
    assert sources_of(lessons, kind="photo") == {("held_out", 120)}
    assert sources_of(lessons, kind="cutout") == {("train", 128)}


def test_things_are_seen_from_nearer_by_in_lessons(pairs_of: Making) -> None:
    near, far = (
        np.mean(
            [box.bottom - box.top for pair in pairs_of(EditTask.SUBJECT_REMOVAL, lessons=one) for box in pair.boxes]
        )
        for one in (True, False)
    )
    assert near > 1.15 * far
