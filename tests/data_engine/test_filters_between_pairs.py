"""Held-out pictures stay out, and duplicates are told the same way whatever the order of work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from spoilt_pairs import good_pair, photograph

from step1x_edit.data_engine.filters.chain import chain, judge
from step1x_edit.data_engine.filters.duplicate import DuplicateWatch
from step1x_edit.data_engine.filters.held_out import read_hash_list, write_hash_list
from step1x_edit.errors import DataError
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import EditTriplet, ImageFacts, Mask, Observations, Provenance


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    folder = tmp_path / "benchmark" / "deep"
    folder.mkdir(parents=True)
    Image.fromarray(photograph(1)).resize((300, 200)).save(folder / "one.jpg", quality=80)
    Image.fromarray(photograph(5)).save(folder / "two.png")
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    return tmp_path / "benchmark"


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_picture_of_the_benchmark_does_not_come_into_training(
    benchmark: Path, tmp_path: Path, mirrored: bool
) -> None:
    known = write_hash_list(benchmark, tmp_path / "list.txt")
    pair = good_pair(EditTask.TONE_TRANSFORMATION)
    if mirrored:
        Image.fromarray(photograph(1)[:, ::-1]).save(benchmark / "deep" / "one.jpg")
        known = write_hash_list(benchmark, tmp_path / "list.txt")
    failure = judge(pair, None, filters=chain(pair.task, held_out=known)).failure
    assert failure is not None
    assert failure.filter == "held-out"
    assert "deep/one.jpg" in failure.reason


def test_other_pictures_do(benchmark: Path, tmp_path: Path) -> None:
    (benchmark / "deep" / "one.jpg").unlink()
    known = write_hash_list(benchmark, tmp_path / "list.txt")
    pair = good_pair(EditTask.TONE_TRANSFORMATION)
    assert judge(pair, None, filters=chain(pair.task, held_out=known)).failure is None


def test_a_hash_list_is_read_as_it_was_written(benchmark: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    known = write_hash_list(benchmark, path)
    assert set(known.names) == {"deep/one.jpg", "deep/two.png"}
    assert read_hash_list(path) == known
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["list.txt"]


def test_a_damaged_list_a_missing_one_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    with pytest.raises(DataError, match="expected a list of hashes"):
        read_hash_list(path)
    path.write_text("91754d2a54ab56ab fine.png\nnot-a-hash broken.png\n", encoding="utf-8")
    with pytest.raises(DataError, match="16 hexadecimal digits"):
        read_hash_list(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="a folder with pictures"):
        write_hash_list(tmp_path / "empty", path)


def triplet(attempt: int, *, source: str = "a", phash: int = 0, detail: str = "left") -> EditTriplet:
    facts = ImageFacts(width=1, height=1, sha256="", phash=f"{phash:016x}")
    return EditTriplet(
        uid=str(attempt), task=EditTask.SUBJECT_ADDITION, source=facts, target=facts, instruction_en="", instruction_cn="",
        mask=Mask(height=1, width=1, runs=(1,)), aux=Observations(subject="dog", detail=detail),
        provenance=Provenance(
            sources=(source,), licences=(), permissive=True, recipe="", pipeline_version="", seed=0, attempt=attempt
        ),
    )  # fmt: skip


def test_a_duplicate_repeats_the_lowest_attempt_that_looks_like_it() -> None:
    watch = DuplicateWatch()
    assert watch.repeats(triplet(3)) is None
    assert watch.repeats(triplet(4, phash=0b111)) == 3
    assert watch.repeats(triplet(6, phash=0xFFFF)) is None
    assert watch.repeats(triplet(9, phash=0xFFFE)) == 6


def test_another_picture_or_another_wish_is_no_duplicate() -> None:
    watch = DuplicateWatch()
    assert watch.repeats(triplet(0)) is None
    assert watch.repeats(triplet(1, source="b")) is None
    assert watch.repeats(triplet(2, detail="right")) is None


def test_duplicates_are_only_told_in_the_order_of_attempts() -> None:
    watch = DuplicateWatch()
    watch.repeats(triplet(5))
    with pytest.raises(DataError, match="attempts in rising order"):
        watch.repeats(triplet(2))


def test_hashes_of_held_out_pictures_see_through_scaling_only(benchmark: Path, tmp_path: Path) -> None:
    known = write_hash_list(benchmark, tmp_path / "list.txt")
    nearest = known.nearest(np.ascontiguousarray(photograph(5)))
    assert nearest == (0, "deep/two.png")
