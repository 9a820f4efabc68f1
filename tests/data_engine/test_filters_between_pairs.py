"""Held-out pictures stay out, and duplicates are told the same way whatever the order of work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_pool import drawn_pool
from PIL import Image
from spoilt_pairs import good_pair, photograph

from step1x_edit.data_engine.filters.chain import chain, judge
from step1x_edit.data_engine.filters.duplicate import DuplicateWatch, Look
from step1x_edit.data_engine.filters.held_out import HashList, HeldOut, hash_pictures, read_hash_lists, write_hash_list
from step1x_edit.data_engine.sources.opening import open_source
from step1x_edit.errors import DataError
from step1x_edit.schema.tasks import EditTask


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    folder = tmp_path / "benchmark" / "deep"
    folder.mkdir(parents=True)
    Image.fromarray(photograph(1)).resize((300, 200)).save(folder / "one.jpg", quality=80)
    Image.fromarray(photograph(5)).save(folder / "two.png")
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    return tmp_path / "benchmark"


def hashed(folder: Path) -> HashList:
    return hash_pictures(open_source(str(folder)))


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_picture_of_the_benchmark_does_not_come_into_training(
    benchmark: Path, tmp_path: Path, mirrored: bool
) -> None:
    known = hashed(benchmark)
    pair = good_pair(EditTask.TONE_TRANSFORMATION)
    if mirrored:
        Image.fromarray(photograph(1)[:, ::-1]).save(benchmark / "deep" / "one.jpg")
        known = hashed(benchmark)
    failure = judge(pair, None, filters=chain(pair.task, held_out=known)).failure
    assert failure is not None
    assert failure.filter == "held-out"
    assert "deep/one.jpg" in failure.reason


def test_other_pictures_do(benchmark: Path, tmp_path: Path) -> None:
    (benchmark / "deep" / "one.jpg").unlink()
    known = hashed(benchmark)
    pair = good_pair(EditTask.TONE_TRANSFORMATION)
    assert judge(pair, None, filters=chain(pair.task, held_out=known)).failure is None


def test_a_hash_list_is_read_as_it_was_written(benchmark: Path, tmp_path: Path) -> None:
    path, known = tmp_path / "list.txt", hashed(benchmark)
    write_hash_list(known, path)
    assert set(known.names) == {"deep/one.jpg", "deep/two.png"}
    assert read_hash_lists([path]) == known
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["list.txt"]


def test_several_lists_are_read_as_one(benchmark: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "first.txt", tmp_path / "second.txt"]
    write_hash_list(hashed(benchmark), paths[0])
    paths[1].write_text("91754D2A54AB56AB\n", encoding="utf-8")
    both = read_hash_lists(paths)
    assert len(both.hashes) == 3
    assert both.fingerprint == read_hash_lists(reversed(paths)).fingerprint != read_hash_lists(paths[:1]).fingerprint


def test_a_damaged_list_a_missing_one_and_pictures_that_cannot_be_held_out_are_refused(tmp_path: Path) -> None:
    path, folder = tmp_path / "list.txt", tmp_path / "pictures"
    with pytest.raises(DataError, match="expected a list of hashes"):
        read_hash_lists([path])
    path.write_text("91754d2a54ab56ab fine.png\nnot-a-hash broken.png\n", encoding="utf-8")
    with pytest.raises(DataError, match="16 hexadecimal digits"):
        read_hash_lists([path])
    folder.mkdir()
    with pytest.raises(DataError, match="no picture"):
        hashed(folder)
    (folder / "broken.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"broken\.png"):
        hashed(folder)


def test_files_of_held_out_pictures_leave_the_pool_with_everything_cut_from_them() -> None:
    pool = drawn_pool()
    subject = next(one for one in pool.pictures if one.kind == "subject")
    sifted = HeldOut(known=HashList(hashes=(subject.phash,), names=("held",)), at_least_bits=8).sifted(pool)
    gone = [one for one in pool.pictures if one not in sifted.pictures]
    assert {one.sha256 for one in gone} == {subject.sha256}
    assert {one.kind for one in gone} == {"photo", "subject"}


def look(attempt: int, *, uid: str = "", source: str = "a", phash: int = 0, detail: str = "left") -> Look:
    digits = f"{phash:016x}"
    return Look(attempt=attempt, uid=uid or str(attempt), source=digits, target=digits, group=("add", detail, source))


def watching(*, near_until: int = 100) -> DuplicateWatch:
    return DuplicateWatch(near_until=near_until)


def test_a_duplicate_repeats_the_lowest_attempt_that_looks_like_it() -> None:
    watch = watching()
    assert watch.repeats(look(3)) is None
    assert watch.repeats(look(4, phash=0b111)) == 3
    assert watch.repeats(look(6, phash=0xFFFF)) is None
    assert watch.repeats(look(9, phash=0xFFFE)) == 6


def test_the_same_triplet_is_a_duplicate_whatever_its_wish() -> None:
    watch = watching(near_until=0)
    assert watch.repeats(look(0, uid="one")) is None
    assert watch.repeats(look(5, uid="one", phash=0xFFFF, detail="right")) == 0


def test_likeness_waits_for_attempts_that_are_still_to_be_made() -> None:
    watch = watching(near_until=3)
    answers = [watch.repeats(look(attempt)) for attempt in (0, 2, 4)]
    assert answers == [None, 0, None]


def test_another_picture_or_another_wish_is_no_duplicate() -> None:
    watch = watching()
    assert watch.repeats(look(0)) is None
    assert watch.repeats(look(1, source="b")) is None
    assert watch.repeats(look(2, detail="right")) is None


def test_duplicates_are_only_told_in_the_order_of_attempts() -> None:
    watch = watching()
    watch.repeats(look(5))
    with pytest.raises(DataError, match="attempts in rising order"):
        watch.repeats(look(2))


def test_hashes_of_held_out_pictures_see_through_scaling_only(benchmark: Path, tmp_path: Path) -> None:
    known = hashed(benchmark)
    nearest = known.nearest(np.ascontiguousarray(photograph(5)))
    assert nearest == (0, "deep/two.png")
