"""step1x bench run for cases that are to be judged, driven whole: nano, a service, finished pictures, bad input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmark"))

from loopback_images import loopback_images, openai_error
from published_cases import DRAWN, published_rows, write_published

from step1x_edit.apps.cli import app
from step1x_edit.errors import DataError, ExpertError, RequestError

pytest.importorskip("datasets", reason="needs the extra `bench`")


def run(*words: object):
    return CliRunner().invoke(app, ["bench", "run", *map(str, words)])


@pytest.fixture(scope="module")
def gedit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_published(tmp_path_factory.mktemp("gedit") / "data", form="arrow")


def edited(out: Path, method: str) -> list[Path]:
    pictures = sorted((out / "results" / method / "fullset").glob("*/*/*.png"))
    return [path for path in pictures if not path.stem.endswith("_SRCIMG")]


def test_nano_edits_published_cases_in_both_languages(gedit, tmp_path):
    words = (
        "--suite",
        gedit,
        "--editor",
        "nano",
        "--language",
        "both",
        "--task",
        "tone_transfer",
        "--option",
        "steps=2",
    )
    result = run(*words, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "2 cases: 2 edited, 0 refused, 0 failed" in result.output
    pictures = edited(tmp_path, "nano")
    assert [str(path.relative_to(tmp_path / "results/nano/fullset")) for path in pictures] == [
        f"tone_transfer/{language}/{DRAWN[4][1]}.png" for language in ("cn", "en")
    ]
    assert Image.open(pictures[0]).size == DRAWN[4][5]
    assert "steps=2" in json.loads((tmp_path / "results/nano/run.json").read_text())["version"]
    before = [path.stat().st_mtime_ns for path in pictures]
    assert run(*words, "--out", tmp_path).exit_code == 0
    assert [path.stat().st_mtime_ns for path in pictures] == before


def test_chosen_cases_are_added_to_a_run_but_other_settings_are_not(gedit, tmp_path):
    words = ("--suite", gedit, "--editor", "identity", "--out", tmp_path)
    assert run(*words, "--task", "text_change").exit_code == 0
    assert run(*words, "--language", "zh").exit_code == 0
    assert len(edited(tmp_path, "identity")) == 1 + len(DRAWN)
    other = run(*words, "--seed", 3)
    assert other.exit_code == DataError.exit_code
    assert "a run with another seed" in " ".join(other.output.split())


def test_a_service_is_asked_with_the_key_of_the_environment(gedit, tmp_path, monkeypatch):
    monkeypatch.setenv("STEP1X_EDITOR_KEY", "secret")
    with loopback_images() as server:
        server.answers = [(400, openai_error("moderation_blocked", "no"))]
        words = ("--suite", gedit, "--editor", "images:team/model", "--url", f"{server.address}/v1", "--at-once", 2)
        result = run(*words, "--per-task", 1, "--out", tmp_path)
        assert result.exit_code == 0, result.output
        assert "5 edited, 1 refused" in result.output
        assert {one.key for one in server.asked} == {"Bearer secret"}
        assert len(edited(tmp_path, "team-model")) == 5
        server.answers = [(401, openai_error("invalid_api_key", "no"))] * 9
        ended = run(*words, "--language", "zh", "--out", tmp_path)
        assert ended.exit_code == ExpertError.exit_code


def test_finished_pictures_become_a_run_and_other_sizes_are_told(gedit, tmp_path):
    assert run("--suite", gedit, "--editor", "identity", "--out", tmp_path / "theirs").exit_code == 0
    theirs = tmp_path / "theirs" / "results" / "identity"
    first = edited(tmp_path / "theirs", "identity")[0]
    Image.open(first).resize((20, 20)).save(first)
    result = run("--suite", gedit, "--editor", f"pictures:{theirs}", "--method", "theirs", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "1 pictures are not of their source's size" in result.output
    assert len(edited(tmp_path, "theirs")) == len(DRAWN)


def test_a_mini_suite_gives_pictures_for_a_judge_when_asked(tmp_path):
    result = run("--for-judge", "--editor", "identity", "--language", "both", "--per-task", 1, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert len(edited(tmp_path, "identity")) == 16
    assert run("--editor", "identity", "--per-task", 1, "--out", tmp_path).exit_code == RequestError.exit_code


@pytest.mark.parametrize(
    ("words", "family", "sentence"),
    [
        (("--editor", "magic"), RequestError, "the editor 'magic'"),
        (("--editor", "nano", "--option", "magic=1"), RequestError, "the option magic"),
        (("--editor", "identity", "--option", "steps"), RequestError, "NAME=VALUE"),
        (("--editor", "identity", "--task", "magic"), RequestError, "the edit task 'magic'"),
        (("--editor", "identity", "--task", "style_change"), DataError, "at least one case to run"),
        (("--editor", "identity", "--split", "test"), DataError, "the split test"),
        (("--editor", "identity", "--method", "../x"), RequestError, "the method '../x'"),
        (("--editor", "pictures:/nowhere"), DataError, "without a finished picture"),
        (("--editor", "gemini:g"), RequestError, "STEP1X_EDITOR_KEY"),
    ],
)
def test_bad_input_is_one_sentence(words, family, sentence, gedit, tmp_path):
    result = run("--suite", gedit, "--out", tmp_path, *words)
    assert result.exit_code == family.exit_code
    assert sentence in " ".join(result.output.split())


def test_an_empty_run_is_said(gedit, tmp_path):
    with loopback_images() as server:
        server.answer = lambda asked: (400, openai_error("moderation_blocked", "not for anybody"))
        result = run("--suite", gedit, "--editor", "images:m", "--url", f"{server.address}/v1", "--out", tmp_path)
    assert result.exit_code == RequestError.exit_code
    assert "refused, 6 times: not for anybody" in result.output
    assert "left no picture" in " ".join(result.output.split())


def test_a_spoilt_data_set_is_one_sentence(tmp_path):
    rows = published_rows()
    data = write_published(tmp_path / "data", [*rows, rows[0]], form="arrow")
    result = run("--suite", data, "--editor", "identity", "--out", tmp_path / "out")
    assert result.exit_code == DataError.exit_code
    assert "two cases subject-remove/en" in " ".join(result.output.split())
