"""Trouble on the way from pictures to a store, each through the real commands: one counted refusal or one clear sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "data_engine"))

from drawn_pool import drawn_pool, write_pool_files
from source_files import bad_files, encoded, good_files, write_files

from step1x_edit.apps.cli import app
from step1x_edit.schema.triplet import Rejection
from step1x_edit.store import read_manifest, read_records, read_rejections

pytest.importorskip("pyarrow", reason="needs the extra `data`")

TONE = ("--tasks", "tone_transfer", "--size", 256)
"""Needs no expert's part."""
STEP1X = [sys.executable, "-c", "from step1x_edit.apps.cli import main; main()"]


def data(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, words)])


def refusal(result: Result, code: int) -> str:
    """What a command that failed as it should said: one line."""
    assert result.exit_code == code, result.output
    (line,) = result.stderr.splitlines()
    return line


@pytest.fixture(autouse=True)
def without_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEP1X_PARTS", str(tmp_path / "no parts"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pool_files(drawn_pool(), tmp_path_factory.mktemp("drawn") / "pool")


def test_poisonous_pictures_fail_alone_each_with_its_reason_and_the_others_become_triplets(tmp_path: Path) -> None:
    bad = bad_files() | {"dot.png": (encoded(Image.new("RGB", (1, 1))), "sides of 16 to")}
    folder = write_files(tmp_path / "in", good_files() | {name: content for name, (content, _) in bad.items()})
    result = data("build", folder, "--out", tmp_path / "out", "--count", 6, *TONE)
    assert result.exit_code == 0, result.output
    assert f"{len(bad)} of {len(bad) + len(good_files())} were refused" in result.stderr
    lines = (tmp_path / "out" / "pool" / "rejections.jsonl").read_text(encoding="utf-8").splitlines()
    reasons = dict(Rejection.model_validate_json(line).reason.split(": ", 1) for line in lines)
    assert set(reasons) == set(bad)
    assert all(words in reasons[name] for name, (_, words) in bad.items())
    manifest = read_manifest(tmp_path / "out")
    assert manifest.attempts == 6 and sum(manifest.kept.values()) > 0
    used = {source for record in read_records(tmp_path / "out") for source in record.provenance.sources}
    rows = (tmp_path / "out" / "pool" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert used <= {json.loads(row)["id"] for row in rows}


def test_an_empty_folder_and_one_without_a_usable_picture_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_files(tmp_path / "letters", {"a.jpg": b"no picture"})
    for folder, words in (("empty", "holds no picture"), ("letters", "none of which can be used")):
        for command in (("sources", tmp_path / folder), ("build", tmp_path / folder, *TONE)):
            assert words in refusal(data(*command, "--out", tmp_path / f"out {folder}", *no_mattes(command)), 6)


def no_mattes(command: tuple[object, ...]) -> tuple[str, ...]:
    return ("--no-mattes",) if command[0] == "sources" else ()


def test_after_a_folder_that_was_empty_the_same_command_goes_on_with_pictures(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    build = ("build", tmp_path / "in", "--out", tmp_path / "out", "--count", 2, *TONE)
    assert data(*build).exit_code == 6
    write_files(tmp_path / "in", good_files())
    assert data(*build).exit_code == 0


def test_settings_that_cannot_be_met_are_one_sentence(pool: Path, tmp_path: Path) -> None:
    build = ("build", pool, "--out", tmp_path / "out")
    assert "subject-add" in refusal(data(*build, "--tasks", "colour_alter", "--count", 2), 2)
    assert "no recipe yet" in refusal(data(*build, "--tasks", "motion_change", "--count", 2), 2)
    assert "256 or 512" in refusal(data(*build, "--size", 300), 2)
    nothing = data(*build, "--count", 0)
    assert nothing.exit_code == 2
    assert "--count" in nothing.stderr and "Traceback" not in nothing.output


def test_without_experts_parts_a_build_says_what_would_bring_them(pool: Path, tmp_path: Path) -> None:
    result = data("build", pool, "--out", tmp_path / "out", "--count", 2, *TONE)
    assert result.exit_code == 0
    assert "step1x data setup" in result.stderr
    assert any(one.passed is None for record in read_records(tmp_path / "out") for one in record.decisions)


def test_photographs_alone_give_what_they_can_and_the_rest_says_what_is_missing(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "in", {name: data for name, data in good_files().items() if name != "cutout.png"})
    tasks = ("--tasks", "tone_transfer,subject-add", "--count", 6, "--size", 256)
    assert data("build", folder, "--out", tmp_path / "out", *tasks).exit_code == 0
    manifest = read_manifest(tmp_path / "out")
    assert manifest.kept["tone_transfer"] > 0
    assert set(manifest.rejected["subject-add"]) == {"sources"}
    assert all(
        "to put objects into a scene" in one.reason
        for one in read_rejections(tmp_path / "out")
        if one.stage == "sources"
    )


def test_a_store_made_with_other_settings_is_left_as_it_is(pool: Path, tmp_path: Path) -> None:
    build = ("build", pool, "--out", tmp_path / "out", "--count", 2, *TONE)
    assert data(*build).exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")}
    line = refusal(data(*build, "--seed", 9), 2)
    assert "seed 0" in line and "seed 9" in line and "--out" in line
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")} == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_is_one_sentence_and_with_more_room_the_run_ends_as_a_calm_one(
    pool: Path, tmp_path: Path, small_disk: Path
) -> None:
    build = ("build", pool, "--count", 14, *TONE, "--out")
    assert "no room left" in refusal(data(*build, small_disk / "store"), 6)
    finished = {path: path.read_bytes() for path in small_disk.rglob("train-*.parquet")}
    assert finished and not list(small_disk.rglob("*.part"))
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert data(*build, small_disk / "store").exit_code == 0
    assert {path: path.read_bytes() for path in finished} == finished
    assert data(*build, tmp_path / "calm").exit_code == 0
    assert read_manifest(small_disk / "store").hash == read_manifest(tmp_path / "calm").hash


def test_ctrl_c_ends_a_build_with_one_sentence_and_the_same_command_goes_on(pool: Path, tmp_path: Path) -> None:
    words = [str(word) for word in ("build", pool, "--count", 60, *TONE, "--out", tmp_path / "out")]
    process = subprocess.Popen(
        [*STEP1X, "data", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A shell starts its background jobs deaf to Ctrl-C, and whatever they start inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    triplets = tmp_path / "out" / "triplets"
    while process.poll() is None and len(list(triplets.glob("train-*.parquet"))) < 2:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert said.splitlines() == ["step1x: Interrupted; nothing is left half done, and what is finished is kept."]
    finished = {path: path.read_bytes() for path in triplets.glob("train-*.parquet")}
    assert 2 <= len(finished) < 60
    assert "not finished" in data("status", tmp_path / "out").stdout
    assert data(*words).exit_code == 0
    assert {path: path.read_bytes() for path in finished} == finished
    assert read_manifest(tmp_path / "out").attempts == 60


def test_a_reader_that_leaves_early_ends_a_command_quietly() -> None:
    process = subprocess.Popen([*STEP1X, "data", "setup", "--list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait()
    process.stderr.close()
