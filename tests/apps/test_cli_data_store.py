"""step1x data build, status, report, export and card, driven whole over the drawn pool."""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "data_engine"))

from drawn_pool import drawn_pool, write_pool_files

from step1x_edit.apps.cli import app
from step1x_edit.store import read_manifest, read_records, read_triplets

pytest.importorskip("pyarrow", reason="needs the extra `data`")

ATTEMPTS = 12


def run(*words: object) -> str:
    result = CliRunner().invoke(app, ["data", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """A store of twelve attempts, of two tasks that need no expert's part."""
    home = tmp_path_factory.mktemp("home")
    tasks = "tone_transfer,color_alter"
    build = [
        "build",
        write_pool_files(drawn_pool(), home / "pool"),
        "--out",
        home / "store",
        "--tasks",
        tasks,
        "--size",
        256,
    ]
    said = run(*build, "--count", ATTEMPTS)
    assert f"of {ATTEMPTS} attempts" in said
    return home / "store"


def test_every_attempt_is_a_triplet_or_a_rejection(store):
    manifest = read_manifest(store)
    rejected = sum(number for stages in manifest.rejected.values() for number in stages.values())
    assert manifest.attempts == ATTEMPTS == sum(manifest.kept.values()) + rejected


def test_a_triplet_says_where_it_comes_from(store):
    for record in read_records(store):
        assert record.provenance.sources and record.provenance.licences == ("CC0-1.0",)
        assert record.provenance.permissive
        assert record.instruction_en and record.instruction_cn


def test_status_says_what_is_there(store):
    said = run("status", store)
    assert f"{ATTEMPTS} of {ATTEMPTS} attempts, finished" in said
    assert f"manifest hash: {read_manifest(store).hash}" in said


def test_the_report_is_one_page_that_needs_nothing_else(store):
    run("report", store)
    page = (store / "report.html").read_text(encoding="utf-8")
    assert "http" not in page and "<script" not in page
    assert page.count("<figure>") == sum(1 for _ in read_records(store))
    assert all(record.instruction_cn in page for record in read_records(store))


def test_the_card_names_licences_counts_and_filters(store):
    run("card", store)
    card = (store / "README.md").read_text(encoding="utf-8")
    assert "| CC0-1.0 |" in card and "## Filters" in card and "| tone_transfer |" in card


def test_the_official_form_maps_targets_to_reference_and_caption(store, tmp_path):
    run("export", store, "--to", "official", "--out", tmp_path / "official")
    table = json.loads((tmp_path / "official" / "metadata.json").read_text(encoding="utf-8"))
    captions = {record.instruction_en for record in read_records(store)}
    assert len(table) == sum(1 for _ in read_records(store))
    for target, entry in table.items():
        assert Image.open(target).size == Image.open(entry["ref_image_path"]).size
        assert entry["caption"] in captions


def test_the_webdataset_form_has_four_members_a_triplet(store, tmp_path):
    run("export", store, "--to", "webdataset", "--out", tmp_path / "tars")
    with tarfile.open(tmp_path / "tars" / "00000.tar") as tar:
        names = tar.getnames()
    assert len(names) == 4 * sum(1 for _ in read_records(store))


def test_the_hugging_face_form_is_read_by_datasets(store, tmp_path):
    datasets = pytest.importorskip("datasets", reason="needs the extra `data`")
    run("export", store, "--to", "hf", "--out", tmp_path / "hf")
    rows = datasets.load_dataset(str(tmp_path / "hf"), split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["uid"] for row in rows] == [one.record.uid for one in read_triplets(store)]


def test_pictures_of_a_benchmark_are_hashed_and_held_out_of_a_build(tmp_path):
    pool = drawn_pool()
    Image.fromarray(pool.image(pool.pictures[0])).save(tmp_path / "case.png")
    said = run("hashes", tmp_path / "case.png", "--out", tmp_path / "hashes.txt")
    assert "1 pictures" in said
    held = pool.pictures[1]
    with (tmp_path / "hashes.txt").open("a", encoding="utf-8") as file:
        file.write(f"{held.phash} held.png\n")
    build = ["build", write_pool_files(pool, tmp_path / "pool"), "--hold-out", tmp_path / "hashes.txt", "--size", 256]
    build += ["--tasks", "tone_transfer", "--count", 8]
    for workers in (1, 2):
        run(*build, "--workers", workers, "--out", tmp_path / str(workers))
    assert read_manifest(tmp_path / "1") == read_manifest(tmp_path / "2")
    assert read_manifest(tmp_path / "1").settings["held_out"]
    sources = {one for record in read_records(tmp_path / "1") for one in record.provenance.sources}
    assert sources and held.id not in sources


def test_lessons_are_built_at_the_size_of_nano_and_the_store_says_so(tmp_path):
    pool = write_pool_files(drawn_pool(), tmp_path / "pool")
    run(
        "build", pool, "--out", tmp_path / "lessons", "--lessons", "--size", 128, "--tasks", "color_alter", "--count", 4
    )
    settings = read_manifest(tmp_path / "lessons").settings
    assert (settings["seen_objects"], settings["size"], settings["split"]) == (True, 128, "train")
    assert all(record.source.width == 128 for record in read_records(tmp_path / "lessons"))


def test_an_export_does_not_write_over_anything(store, tmp_path):
    result = CliRunner().invoke(app, ["data", "export", str(store), "--to", "hf", "--out", str(tmp_path)])
    assert result.exit_code == 2
