"""Suites: so many held-out cases of each task, the same each time, with objects that training sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_pool import CLASSES, figure, hills, pool_of, portrait, write_pool_files

from step1x_edit.data_engine import suites
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.suites import SuitePlan, build_suite, suite_plan, suite_plans
from step1x_edit.errors import DataError, RequestError
from step1x_edit.schema.tasks import EditTask
from step1x_edit.store import Manifest, read_triplets

pytest.importorskip("pyarrow", reason="needs the extra `data`")

PLAN = SuitePlan(
    name="drawn", cases=1, size=128, seed=3, permissive_only=True, photographic=False, seen_objects=True, digest=""
)
TASKS = 8


def town(number: int) -> np.ndarray:
    """Hills with bright and dark houses all over: enough to see for a style to show."""
    rng = np.random.default_rng(100 + number)
    houses = np.kron(rng.integers(-60, 60, (12, 16, 3)), np.ones((10, 10, 1), dtype=int))
    return np.clip(hills(number) + houses, 0, 255).astype(np.uint8)


def two_sided_pool() -> Pool:
    """Held-out towns and a held-out car in one; figures of six classes that training sees and a held-out dog."""
    photo, subject = portrait(CLASSES.index("car"))
    return pool_of(
        [
            *((town(number), "photo", None, "held_out") for number in range(3)),
            (hills(7), "photo", None, "train"),
            (photo, "photo", None, "held_out"),
            (subject, "subject", "car", "held_out"),
            (portrait(1)[1], "subject", "harp", "held_out"),
            *((figure(number), "cutout", name, "train") for number, name in enumerate(CLASSES)),
            (figure(0)[:, ::-1], "cutout", "dog", "held_out"),
        ]
    )


def built(folder: Path, pool: Path, plan: SuitePlan = PLAN) -> Manifest:
    return build_suite(plan, folder, pool=pool, parts=pool.parent / "no-parts", progress=lambda *_: None)


@pytest.fixture(scope="module")
def pool_folder(tmp_path_factory) -> Path:
    return write_pool_files(two_sided_pool(), tmp_path_factory.mktemp("home") / "pool")


@pytest.fixture(scope="module")
def suite(pool_folder, tmp_path_factory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("suites") / "first"
    return folder, built(folder, pool_folder)


def test_a_suite_has_its_cases_of_every_task_in_both_languages(suite):
    folder, manifest = suite
    records = [one.record for one in read_triplets(folder)]
    assert sum(manifest.kept.values()) == TASKS * PLAN.cases
    assert {one.task for one in records} == set(EditTask) - {one for one in EditTask if one.value not in manifest.kept}
    assert all(one.instruction_en and one.instruction_cn for one in records)
    assert all(one.split == "held_out" for one in records)


def test_its_photographs_are_held_out_and_its_objects_seen_in_training(suite):
    pictures = {one.id: one for one in two_sided_pool().pictures}
    used = [pictures[one] for case in read_triplets(suite[0]) for one in case.record.provenance.sources]
    assert {one.split for one in used if one.kind == "cutout"} == {"train"}
    assert {one.split for one in used if one.kind != "cutout"} == {"held_out"}


def test_the_same_plan_gives_the_same_hash(suite, pool_folder, tmp_path):
    assert built(tmp_path / "again", pool_folder).hash == suite[1].hash


def test_a_pool_that_gives_too_few_is_refused_with_the_tasks_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr(suites, "MOST_TRIES", 1)
    pool = write_pool_files(pool_of([(hills(0), "photo", None, "held_out")]), tmp_path / "pool")
    with pytest.raises(DataError, match="subject-add 0"):
        built(tmp_path / "suite", pool)


def test_held_out_photographs_show_only_classes_that_training_cuts_out():
    shown = two_sided_pool().showing_seen_objects()
    assert {one.label for one in shown.subjects("held_out")} == {"car"}
    assert sorted(shown.cutouts("held_out")) == sorted(CLASSES)
    assert not shown.cutouts("train") and not shown.photos("train")


def test_the_plans_name_a_settled_hash_and_others_are_refused():
    assert all(len(one.digest) == 64 for one in suite_plans().values())
    assert suite_plan("mini").cases == 20 and suite_plan("mini").seen_objects
    with pytest.raises(RequestError, match="mini-ci, mini"):
        suite_plan("maxi")
