"""Readers: whatever a user has pictures in, each gives its bytes with what is known, one at a time."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from source_files import encoded, good_files, photograph, write_files

from step1x_edit.data_engine.pool import MANIFEST, PIXELS, Pool
from step1x_edit.data_engine.sources.offers import Candidate, Offer, Pooled, Unreadable
from step1x_edit.data_engine.sources.opening import open_source
from step1x_edit.errors import DataError


def uris(offers: Iterable[Offer]) -> list[str]:
    return [offer.uri for offer in offers if not isinstance(offer, Pooled)]


def test_a_folder_gives_its_pictures_by_name_and_content_in_the_order_of_their_paths(tmp_path: Path) -> None:
    write_files(tmp_path, good_files())
    write_files(tmp_path, {"notes.txt": b"no picture", ".hidden.png": b"x", ".git/a.png": b"x", "data.csv": b"path"})
    offers = list(open_source(str(tmp_path)))
    assert set(uris(offers)) == set(good_files())
    assert uris(offers) == uris(open_source(str(tmp_path)))
    assert all(isinstance(offer, Candidate) and offer.known.licence == "unknown" for offer in offers)


def test_a_folder_opens_the_shards_it_holds(tmp_path: Path) -> None:
    write_files(tmp_path, {"single.png": encoded(photograph(1)), "shards/0.tar": shard({"a.png": b"1", "b.png": b"2"})})
    assert uris(open_source(str(tmp_path))) == ["single.png", "0.tar/a.png", "0.tar/b.png"]


def test_an_empty_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no picture"):
        list(open_source(str(tmp_path)))


def test_a_path_without_anything_and_a_file_of_no_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a file or folder"):
        open_source(str(tmp_path / "nowhere"))
    write_files(tmp_path, {"report.pdf": b"%PDF-1.7"})
    with pytest.raises(DataError, match="parquet"):
        open_source(str(tmp_path / "report.pdf"))


def test_a_list_names_one_path_a_line_and_a_missing_file_is_told(tmp_path: Path) -> None:
    write_files(tmp_path, {"in/a.png": encoded(photograph(1)), "list.txt": b"# two\nin/a.png\n\nin/gone.png\n"})
    first, second = open_source(str(tmp_path / "list.txt"))
    assert isinstance(first, Candidate)
    assert first.uri == "in/a.png"
    assert isinstance(second, Unreadable)
    assert "No such file" in second.reason


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
def test_a_table_says_licence_author_and_label(tmp_path: Path, name: str) -> None:
    row = {"path": "a.png", "license": "CC-BY-4.0", "author": "Ann", "label": "boat", "label_zh": "船"}
    csv = ",".join(row) + "\n" + ",".join(row.values()) + "\n"
    text = csv if name.endswith("csv") else json.dumps(row) + "\nno json\n"
    write_files(tmp_path, {"a.png": encoded(photograph(1)), name: text.encode()})
    first, *rest = open_source(str(tmp_path / name))
    assert isinstance(first, Candidate)
    assert (first.known.licence, first.known.author, first.known.label, first.known.label_zh) == (
        "CC-BY-4.0", "Ann", "boat", "船",
    )  # fmt: skip
    assert [isinstance(one, Unreadable) for one in rest] == [True] * (name == "list.jsonl")


def test_a_table_without_paths_says_which_columns_it_has(tmp_path: Path) -> None:
    write_files(tmp_path, {"list.csv": b"name,licence\na,b\n"})
    with pytest.raises(DataError, match="name, licence"):
        list(open_source(str(tmp_path / "list.csv")))


@pytest.mark.parametrize("nested", [True, False], ids=["as datasets writes it", "plain"])
def test_parquet_gives_image_bytes_with_metadata(tmp_path: Path, nested: bool) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pictures = [encoded(photograph(number)) for number in range(5)] + [None]
    column = [picture and ({"bytes": picture, "path": None} if nested else picture) for picture in pictures]
    table = arrow.table({"id": range(6), "image": column, "licence": ["MIT"] * 6, "label": range(6)})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    *offers, last = open_source(str(tmp_path / "a.parquet"))
    read = [offer for offer in offers if isinstance(offer, Candidate)]
    assert [offer.data for offer in read] == pictures[:5]
    assert {(offer.known.licence, offer.known.label) for offer in read} == {("MIT", None)}
    assert isinstance(last, Unreadable)
    assert last.uri == "a.parquet#5"


def test_parquet_that_is_none_is_told_and_one_without_images_refused(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    write_files(tmp_path, {"b.parquet": b"PAR1 and nothing else"})
    (offer,) = open_source(str(tmp_path / "b.parquet"))
    assert isinstance(offer, Unreadable)
    parquet.write_table(arrow.table({"words": ["a"]}), tmp_path / "c.parquet")
    with pytest.raises(DataError, match="image bytes"):
        list(open_source(str(tmp_path / "c.parquet")))


def shard(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return target.getvalue()


def test_webdataset_joins_a_picture_with_the_json_beside_it(tmp_path: Path) -> None:
    about = json.dumps({"licence": "CC0-1.0", "author": "Bo", "label": "cat"}).encode()
    members = {"1.jpg": b"one", "1.json": about, "x/2.json": b"{", "x/2.png": b"two", "x/2.txt": b"words"}
    write_files(tmp_path, {"0.tar": shard(members)})
    first, second = open_source(str(tmp_path / "0.tar"))
    assert isinstance(first, Candidate)
    assert isinstance(second, Candidate)
    assert (first.uri, first.data, first.known.licence, first.known.label) == ("0.tar/1.jpg", b"one", "CC0-1.0", "cat")
    assert (second.uri, second.data, second.known.licence) == ("0.tar/x/2.png", b"two", "unknown")


def test_a_shard_that_breaks_off_gives_what_stood_before(tmp_path: Path) -> None:
    whole = shard({"1.png": b"one", "2.png": b"2" * 5000})
    write_files(tmp_path, {"0.tar": whole[:2000]})
    first, *_, last = open_source(str(tmp_path / "0.tar"))
    assert isinstance(first, Candidate)
    assert isinstance(last, Unreadable)
    assert "breaks off" in last.reason


def test_a_pool_is_a_source_too(pool: Pool, tmp_path: Path) -> None:
    lines = "".join(f"{picture.model_dump_json()}\n" for picture in pool.pictures)
    pixels = b"".join(pool.image(picture).tobytes() for picture in pool.pictures)
    write_files(tmp_path, {MANIFEST: lines.encode(), PIXELS: pixels})
    offers = list(open_source(str(tmp_path)))
    assert all(isinstance(offer, Pooled) for offer in offers)
    assert sum(len(offer.pictures) for offer in offers if isinstance(offer, Pooled)) == len(pool.pictures)
