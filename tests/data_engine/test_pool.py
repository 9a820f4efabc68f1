"""The pool and its sources: what is written is read back, and bundles are unpacked as Qt packs them."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from step1x_edit.data_engine.objects import object_classes
from step1x_edit.data_engine.pool import MANIFEST, PIXELS, Pool, default_pool_folder
from step1x_edit.data_engine.sources.qt_resources import read_bundle
from step1x_edit.errors import DataError


def write(pool: Pool, folder: Path) -> None:
    lines = [picture.model_dump_json() for picture in pool.pictures]
    (folder / MANIFEST).write_text("\n".join(lines), encoding="utf-8")
    (folder / PIXELS).write_bytes(b"".join(pool.image(picture).tobytes() for picture in pool.pictures))


def test_a_pool_reads_back_from_its_two_files(pool: Pool, tmp_path: Path) -> None:
    write(pool, tmp_path)
    again = Pool.open(tmp_path)
    assert again.pictures == pool.pictures
    for picture in pool.pictures:
        assert np.array_equal(again.image(picture), pool.image(picture))


def test_a_pool_that_was_cut_short_is_refused(pool: Pool, tmp_path: Path) -> None:
    write(pool, tmp_path)
    (tmp_path / PIXELS).write_bytes((tmp_path / PIXELS).read_bytes()[:-1])
    with pytest.raises(DataError, match="as the manifest says"):
        Pool.open(tmp_path)


def test_a_missing_pool_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="step1x data sources"):
        Pool.open(tmp_path)


def test_a_pool_of_the_first_version_still_opens(pool: Pool, tmp_path: Path) -> None:
    write(pool, tmp_path)
    earlier = {"uri": "file", "label": "object", "label_zh": "zh", "dataset": "package"}
    records = [picture.model_dump(exclude={"phash", "author", "permissive"}) for picture in pool.pictures]
    lines = [json.dumps({earlier.get(name, name): value for name, value in record.items()}) for record in records]
    (tmp_path / MANIFEST).write_text("\n".join(lines), encoding="utf-8")
    again = Pool.open(tmp_path)
    assert [(one.uri, one.label, one.dataset) for one in again.pictures] == [
        (one.uri, one.label, one.dataset) for one in pool.pictures
    ]


def test_a_manifest_that_is_none_is_refused(pool: Pool, tmp_path: Path) -> None:
    write(pool, tmp_path)
    (tmp_path / MANIFEST).write_text('{"id": 3}\n', encoding="utf-8")
    with pytest.raises(DataError, match="no manifest of a pool"):
        Pool.open(tmp_path)


def test_there_are_enough_classes_and_each_has_both_names_and_a_picture() -> None:
    classes = object_classes()
    assert len(classes) >= 40
    for one in classes.values():
        assert one.zh
        assert one.measure
        assert one.stamps or one.emoji


def bundle(files: dict[str, bytes]) -> bytes:
    """Pack a folder "pictures" of compressed files as Qt's rcc does, version 2."""
    names, data = b"", b""
    tree = struct.pack(">IHIIQ", 0, 2, 1, 1, 0) + struct.pack(">IHIIQ", 0, 2, len(files), 2, 0)
    names += struct.pack(">HI", len("pictures"), 0) + "pictures".encode("utf-16-be")
    for name, content in files.items():
        tree += struct.pack(">IHHHIQ", len(names), 1, 0, 1, len(data), 0)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        packed = struct.pack(">I", len(content)) + zlib.compress(content)
        data += struct.pack(">I", len(packed)) + packed
    start = 20
    offsets = (start + len(data) + len(names), start, start + len(data))
    return b"qres" + struct.pack(">I", 2) + struct.pack(">III", *offsets) + data + names + tree


def test_a_qt_bundle_gives_back_the_files_that_went_in(tmp_path: Path) -> None:
    files = {"sea.webp": b"waves" * 50, "hill.webp": b"grass"}
    (tmp_path / "a.rcc").write_bytes(bundle(files))
    assert dict(read_bundle(tmp_path / "a.rcc")) == {f"pictures/{name}": content for name, content in files.items()}


def test_a_file_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.rcc").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(DataError, match="Qt resource bundle"):
        read = read_bundle(tmp_path / "a.rcc")
        next(read)


def test_the_starter_pool_is_opened_before_that_of_an_earlier_version(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    earlier, starter = (tmp_path / ".cache/step1x-edit" / name for name in ("pool", "starter-pool"))
    assert default_pool_folder() == starter
    for folder in (earlier, starter):
        folder.mkdir(parents=True)
        write(pool, folder)
        assert default_pool_folder() == folder
        assert len(Pool.open().pictures) == len(pool.pictures)
