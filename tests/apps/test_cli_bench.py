"""step1x bench run and suite, driven whole: drawn cases, editors without weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmark"))

from drawn_cases import drawn_cases

from step1x_edit.apps.cli import app
from step1x_edit.benchmark.suites import built_in_suites
from step1x_edit.data_engine.suites import suite_plan
from step1x_edit.errors import DataError, RequestError
from step1x_edit.store import Shard, encode_triplet, read_manifest, write_shard

pytest.importorskip("pyarrow", reason="needs the extra `data`")


def run(*words: object):
    return CliRunner().invoke(app, ["bench", *map(str, words)])


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("suite") / "drawn"
    cases = tuple(encode_triplet(one.record, reference=one.reference, target=one.target) for one in drawn_cases())
    write_shard(
        folder, Shard(number=0, first_attempt=0, attempts=len(cases), split="held_out", triplets=cases, rejections=())
    )
    return folder


def bench(store: Path, out: Path, *words: object):
    return run("run", "--suite", store, "--out", out, "--parts", out / "no-parts", *words)


def test_a_run_leaves_a_table_a_page_and_figures(store, tmp_path):
    result = bench(store, tmp_path / "out", "--editor", "classical")
    assert result.exit_code == 0, result.output
    assert "classical on drawn (en)" in result.output
    figures = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert len(figures["cases"]) == len(drawn_cases())
    assert figures["summaries"][-1]["gain_mean"] > 0.5
    assert "<!doctype html>" in (tmp_path / "out" / "report.html").read_text()


def test_leaving_pictures_alone_gains_nothing_in_either_language(store, tmp_path):
    for language in ("en", "zh"):
        out = tmp_path / language
        assert bench(store, out, "--editor", "identity", "--language", language).exit_code == 0
        assert json.loads((out / "scores.json").read_text())["summaries"][-1]["gain_mean"] == 0


def test_a_stopped_run_goes_on_and_keeps_what_it_made(store, tmp_path):
    out = tmp_path / "out"
    bench(store, out, "--editor", "identity")
    kept, lost = sorted(out.glob("*.png"))[:2]
    before = kept.stat().st_mtime_ns
    lost.unlink()
    assert bench(store, out, "--editor", "identity").exit_code == 0
    assert lost.is_file()
    assert kept.stat().st_mtime_ns == before


def test_results_of_other_settings_are_not_mixed_in(store, tmp_path):
    bench(store, tmp_path, "--editor", "identity")
    result = bench(store, tmp_path, "--editor", "identity", "--seed", 5)
    assert result.exit_code == DataError.exit_code


def test_an_unknown_suite_is_refused(tmp_path):
    assert bench(tmp_path / "nowhere", tmp_path / "out").exit_code == DataError.exit_code
    assert run("suite", "maxi", "--out", tmp_path / "suite").exit_code == RequestError.exit_code


def test_the_suite_in_the_package_is_the_settled_one():
    manifest = read_manifest(built_in_suites()["mini-ci"])
    plan = suite_plan("mini-ci")
    assert manifest.hash == plan.digest
    assert set(manifest.kept.values()) == {plan.cases}
