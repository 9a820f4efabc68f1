"""The doors to scores and leaderboard, driven whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmark"))

from judged_logs import drawn_log, write_run

from step1x_edit.apps.cli import app
from step1x_edit.benchmark.cases.opening import open_cases
from step1x_edit.benchmark.generation.run_folder import RunFolder
from step1x_edit.errors import DataError
from step1x_edit.schema.judged import GenerationRecord


def run(*words: object) -> str:
    result = CliRunner().invoke(app, ["bench", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


def test_scores_of_two_editors_are_averaged_and_compared(tmp_path: Path) -> None:
    write_run(tmp_path, "base", drawn_log(5))
    write_run(tmp_path, "better", drawn_log(5, lift=2))
    figures = tmp_path / "scores.json"
    said = run("scores", tmp_path, "--subset", "full", "--json", figures)
    assert "all tasks alike (official)" in said
    assert "second minus first" in said
    kept = json.loads(figures.read_text())
    assert [one["method"] for one in kept["tables"]] == ["base", "better"]
    assert len(kept["differences"]) == 6


def test_official_scores_list_what_they_leave_out(tmp_path: Path) -> None:
    write_run(tmp_path, "base", drawn_log(5))
    said = run("scores", tmp_path, "--arithmetic", "official")
    assert "official arithmetic" in said
    assert "left out, not guessed" in said
    assert "draws a number 0..10 by chance" in said


def test_scores_of_nothing_say_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["bench", "scores", str(tmp_path)])
    assert result.exit_code == DataError.exit_code
    assert "step1x bench judge" in result.output


def test_the_leaderboard_is_written_the_same_twice(tmp_path: Path) -> None:
    write_run(tmp_path, "mine", drawn_log(5))
    pages = []
    for name in ("one", "two"):
        assert "Warning: Rows with another letter" in run("leaderboard", tmp_path, "--per-task", "-o", tmp_path / name)
        pages.append([(tmp_path / f"{name}.{kind}").read_bytes() for kind in ("md", "json")])
    assert pages[0] == pages[1]
    assert "mine *" in pages[0][0].decode()


def test_pictures_are_measured_without_a_judge(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra `bench`")
    cases = open_cases("mini-ci")
    run_folder = RunFolder(tmp_path, "identity")
    for case in cases.cases[:2]:
        record = GenerationRecord(case=case.id, outcome="edited", seconds=0.1, seed=0)
        run_folder.path.mkdir(parents=True, exist_ok=True)
        run_folder.keep(record, source=case.open_source(), edited=case.open_source())
    figures = tmp_path / "figures.json"
    said = run("scores", tmp_path, "--judge-free", "mini-ci", "--parts", tmp_path / "none", "--json", figures)
    assert "without a judge" in said
    kept = json.loads(figures.read_text())["identity"]
    assert len(kept["cases"]) == 2
    assert kept["summaries"][-1]["means"]["changed"] == {"mean": 0.0, "cases": 2}


def test_measuring_without_pictures_says_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra `bench`")
    result = CliRunner().invoke(app, ["bench", "scores", str(tmp_path), "--judge-free", "mini-ci"])
    assert result.exit_code == DataError.exit_code
    assert "no edited pictures" in result.output
