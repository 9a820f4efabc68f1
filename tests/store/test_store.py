"""Stores: what is written is read back; what is half written does not count."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from drawn_triplets import encoded, rejection, shard_of, triplet

from step1x_edit.errors import DataError, RequestError
from step1x_edit.store import (
    Shard,
    open_store,
    read_manifest,
    read_records,
    read_rejections,
    read_store_info,
    read_triplets,
    seal_store,
    write_shard,
)
from step1x_edit.store.shard import rejections_path, triplets_path, written_whole

pytest.importorskip("pyarrow", reason="needs the extra `data`")

SETTINGS = {"seed": 0, "size": 24, "tasks": ["subject-add"]}


def begun(folder: Path, *, attempts: int = 12, **settings: object) -> None:
    open_store(folder, settings=SETTINGS | settings, pipeline_version="0", attempts=attempts, shard_attempts=6)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two shards of six attempts."""
    begun(tmp_path)
    for number in range(2):
        write_shard(tmp_path, shard_of(number, range(6 * number, 6 * number + 6)))
    return tmp_path


def test_triplets_come_back_as_they_were(store):
    back = list(read_triplets(store))
    assert [one.record.provenance.attempt for one in back] == [1, 2, 4, 5, 7, 8, 10, 11]
    for one in back:
        first = triplet(one.record.provenance.attempt)
        assert one.record == first.record
        assert np.array_equal(one.reference, first.reference)
        assert np.array_equal(one.target, first.target)
        assert np.array_equal(one.mask, first.mask)


def test_records_and_rejections_come_back_without_pixels(store):
    assert [one.uid for one in read_records(store)] == [one.record.uid for one in read_triplets(store)]
    assert list(read_rejections(store)) == [rejection(attempt) for attempt in (0, 3, 6, 9)]


def test_triplets_and_rejections_add_up_to_attempts(store):
    info = read_store_info(store)
    assert info.attempts == 12 == sum(info.kept.values()) + sum(info.rejected["subject-remove"].values())
    with pytest.raises(DataError, match="one for each attempt"):
        write_shard(store, Shard(number=9, first_attempt=0, attempts=2, split="train", triplets=[], rejections=[]))


def test_datasets_reads_a_store_as_it_is(store, tmp_path_factory):
    datasets = pytest.importorskip("datasets", reason="needs the extra `data`")
    seal_store(store)
    cache = str(tmp_path_factory.mktemp("cache"))
    for kind, options in ((str(store), {}), ("parquet", {"data_dir": str(store)})):
        rows = datasets.load_dataset(kind, split="train", cache_dir=cache, **options)
        assert len(rows) == 8
        first = triplet(rows[0]["provenance"]["attempt"])
        assert np.array_equal(np.asarray(rows[0]["source_image"]), first.reference)
        assert np.array_equal(np.asarray(rows[0]["target_image"]), first.target)
        assert rows[0]["boxes"][0]["label"] == "square"


def test_held_out_triplets_are_the_test_split_of_datasets(tmp_path, tmp_path_factory):
    datasets = pytest.importorskip("datasets", reason="needs the extra `data`")
    shard = Shard(number=0, first_attempt=1, attempts=1, split="held_out", triplets=[encoded(1)], rejections=[])
    write_shard(tmp_path, shard)
    assert set(datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path_factory.mktemp("cache")))) == {"test"}
    assert len(list(read_triplets(tmp_path))) == 1


def test_the_index_has_no_pictures_and_says_where_they_are(store):
    import pyarrow.parquet

    seal_store(store)
    rows = pyarrow.parquet.read_table(store / "index.parquet").to_pylist()
    assert not {"mask", "source_image", "target_image"} & rows[0].keys()
    assert [(row["shard"], row["row"]) for row in rows[3:5]] == [
        ("triplets/train-00000.parquet", 3),
        ("triplets/train-00001.parquet", 0),
    ]


def test_the_hash_leaves_out_seconds_and_the_spread_over_shards(store, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    begun(other)
    write_shard(other, shard_of(0, range(12), seconds=9.0))
    assert seal_store(other).hash == seal_store(store).hash


def test_the_hash_leaves_out_timeouts(tmp_path):
    begun(tmp_path)
    write_shard(tmp_path, shard_of(0, range(1, 3)))
    calm = seal_store(tmp_path).hash
    late = Shard(
        number=1, first_attempt=3, attempts=1, split="train", triplets=[], rejections=[rejection(3, retry=True)]
    )
    write_shard(tmp_path, late)
    sealed = seal_store(tmp_path)
    assert (sealed.hash, sealed.retries) == (calm, 1)


def test_the_hash_changes_with_a_pixel_and_with_the_settings(store, tmp_path_factory):
    before = seal_store(store).hash
    write_shard(store, shard_of(1, range(7, 13)))
    assert seal_store(store).hash != before
    other = tmp_path_factory.mktemp("other")
    begun(other, seed=1)
    for number in range(2):
        write_shard(other, shard_of(number, range(6 * number, 6 * number + 6)))
    assert seal_store(other).hash != before


def test_a_shard_whose_files_do_not_agree_is_not_finished(store):
    triplets_path(store, 0, "train").unlink()
    rejections_path(store, 1).write_bytes(rejections_path(store, 0).read_bytes())
    assert read_store_info(store).shards == ()


def test_other_settings_are_refused_and_more_attempts_are_not(store):
    with pytest.raises(RequestError, match="seed 0"):
        begun(store, seed=1)
    begun(store, attempts=99)
    assert read_manifest(store).attempts_wanted == 99


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RequestError, match="holds other things"):
        begun(tmp_path)


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(tmp_path):
    with pytest.raises(DataError, match="no room left"), written_whole(tmp_path / "file") as part:
        part.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_run_are_cleared(store):
    left = store / "triplets" / ".train-00007.parquet.part"
    left.write_bytes(b"half")
    begun(store)
    assert not left.exists()


def test_a_damaged_manifest_is_refused(store):
    (store / "manifest.json").write_text(json.dumps({"format": 7}))
    with pytest.raises(DataError, match="cannot be read"):
        read_manifest(store)


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected a store"):
        list(read_triplets(tmp_path))
