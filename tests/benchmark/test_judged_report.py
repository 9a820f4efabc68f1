from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser import opened_page
from judged_runs import JUDGE, SETTINGS, draw_run
from typer.testing import CliRunner

from step1x_edit.apps.cli import app
from step1x_edit.benchmark.report.judged_report import gather_report
from step1x_edit.benchmark.report.writing import write_report
from step1x_edit.benchmark.scores.judged_run import read_judged_run
from step1x_edit.errors import DataError, RequestError
from step1x_edit.schema.tasks import EditTask

TASKS = (EditTask.COLOUR_ALTERATION, EditTask.SUBJECT_REMOVAL, EditTask.TEXT_MODIFICATION)
RUNS = ("ours", "rival")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    for seed, method in enumerate(RUNS):
        draw_run(folder, method, seed=seed, tasks=TASKS, languages=("en", "cn"), per_task=4)
    return folder


@pytest.fixture(scope="module")
def page(drawn: Path) -> Path:
    results = drawn / "results"
    words = ["bench", "report", *(str(results / name) for name in RUNS), "--out", str(drawn / "report.html")]
    outcome = CliRunner().invoke(app, words)
    assert outcome.exit_code == 0, outcome.output
    return drawn / "report.html"


def test_the_report_has_page_markdown_and_figures_that_agree(page: Path) -> None:
    figures = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert figures["methods"] == ["ours", "rival"]
    assert len(figures["cases"]) == 24
    macro = figures["tables"][0]["sections"][0]["macro"]["O"]["value"]
    assert f"{macro:.2f}" in page.read_text(encoding="utf-8")
    assert f"{macro:.2f}" in page.with_suffix(".md").read_text(encoding="utf-8")


def test_cases_come_by_task_the_worst_first_and_those_without_a_score_last(page: Path) -> None:
    cases = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["cases"]
    for task in TASKS:
        scores = [one["ours"]["O"] for one in cases if one["task"] == task.value]
        known = [one for one in scores if one is not None]
        assert known == sorted(known)
        assert scores == [*known, *[None] * (len(scores) - len(known))]


def test_equal_answers_give_equal_bytes(drawn: Path, page: Path) -> None:
    kept = [page.with_suffix(ending).read_bytes() for ending in (".html", ".md", ".json")]
    runs = [read_judged_run(drawn / "results" / name / "judged" / JUDGE) for name in RUNS]
    again = write_report(gather_report(runs, seen_from=drawn), drawn / "again.html")
    assert [path.read_bytes() for path in again] == kept


def test_words_of_others_stay_words(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<b>blue</b>" not in text


def test_noise_as_picture_keeps_within_its_bytes(tmp_path: Path) -> None:
    from step1x_edit.benchmark.report.pictures import LARGEST_BYTES, SIDE

    run = draw_run(tmp_path, "noise", tasks=TASKS[:1], per_task=1, size=(512, 512), noise=120)
    gathered = gather_report([read_judged_run(run / "judged" / JUDGE)], seen_from=tmp_path)
    thumbnail = gathered.cases[0].source
    assert thumbnail is not None
    assert max(thumbnail.size) == SIDE
    assert len(thumbnail.data_url) < LARGEST_BYTES * 4 / 3 + 40


def test_a_picture_that_changed_after_judging_is_refused(tmp_path: Path) -> None:
    run = draw_run(tmp_path, "ours", tasks=TASKS[:1], per_task=1)
    edited = next(path for path in run.glob("fullset/**/*.png") if "SRCIMG" not in path.name)
    edited.write_bytes(edited.with_name(f"{edited.stem}_SRCIMG.png").read_bytes())
    with pytest.raises(DataError, match="has changed since it was judged"):
        gather_report([read_judged_run(run / "judged" / JUDGE)], seen_from=tmp_path)


def test_a_refused_case_without_its_source_is_shown_without_it(tmp_path: Path) -> None:
    run = draw_run(tmp_path, "ours", tasks=TASKS[:1], per_task=2)
    sources = list(run.glob("fullset/**/*_SRCIMG.png"))
    (lone,) = (path for path in sources if not path.with_name(path.name.replace("_SRCIMG", "")).exists())
    lone.unlink()
    report = gather_report([read_judged_run(run / "judged" / JUDGE)], seen_from=tmp_path)
    assert [(one.ours.state, one.source is None) for one in report.cases] == [("scored", False), ("missing", True)]
    page, _, figures = write_report(report, tmp_path / "report.html")
    assert "not in the folder" in page.read_text(encoding="utf-8")
    assert json.loads(figures.read_text(encoding="utf-8"))["cases"][1]["source"] is None


def test_runs_under_other_judges_are_not_put_side_by_side(tmp_path: Path) -> None:
    other = SETTINGS.model_copy(update={"model": "judge-2027-01-01"})
    runs = [draw_run(tmp_path, "a", tasks=TASKS[:1]), draw_run(tmp_path, "b", tasks=TASKS[:1], settings=other)]
    with pytest.raises(DataError, match="another model"):
        gather_report([read_judged_run(run / "judged" / JUDGE) for run in runs], seen_from=tmp_path)


def test_an_unknown_rival_is_named(drawn: Path) -> None:
    runs = [read_judged_run(drawn / "results" / name / "judged" / JUDGE) for name in RUNS]
    with pytest.raises(RequestError, match="the rival 'nobody'"):
        gather_report(runs, rival="nobody", seen_from=drawn)


def test_the_page_filters_orders_and_asks_nothing_of_the_network(page: Path) -> None:
    with opened_page() as browser:
        asked: list[str] = []
        browser.on("request", lambda request: asked.append(request.url))
        browser.goto(page.as_uri())
        shown = browser.locator(".case:not([hidden])")
        assert shown.count() == 24
        browser.locator("select[name=task]").select_option("color_alter")
        browser.locator("select[name=language]").select_option("cn")
        assert shown.count() == 4
        assert browser.locator("#told").inner_text() == "4 of 24 cases"
        browser.locator("select[name=state]").select_option("missing")
        assert shown.count() == 1
        assert "refused: not allowed" in (shown.first.text_content() or "")
        browser.locator("select[name=state]").select_option("scored")
        browser.locator("select[name=order]").select_option("best")
        scores = shown.evaluate_all("found => found.map(one => Number(one.dataset.overall))")
        assert scores == sorted(scores, reverse=True)
        assert browser.locator("svg.radar").count() == 2
        assert browser.evaluate("[...document.images].every(one => one.naturalWidth > 0 && one.alt)")
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
