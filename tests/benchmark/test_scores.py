"""Scores of a judged run: the released statistics to 1e-9, nothing made up, and every case counted."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from judged_logs import JUDGE, answer, drawn_log, judged, unread, write_run

from step1x_edit.benchmark.scores.judged_run import check_comparable, judged_folders, read_judged_run
from step1x_edit.benchmark.scores.official_reading import read_officially
from step1x_edit.benchmark.scores.table import score_table
from step1x_edit.errors import DataError
from step1x_edit.schema.judged import JudgedCase
from step1x_edit.schema.judged_scores import METRICS, ScoreTable
from step1x_edit.schema.tasks import EditTask


def table(tmp_path: Path, cases: tuple[JudgedCase, ...], **options: str) -> ScoreTable:
    return score_table(read_judged_run(write_run(tmp_path, "editor", cases)), **options)  # pyright: ignore


def released_statistics(cases: tuple[JudgedCase, ...], path: Path, *, language: str, intersection: bool) -> dict:
    """The released way from answers to a table: one CSV row a scored picture, then means row by row. No code is shared."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        for one in cases:
            if one.edited_sha256 is None or any(len(said.raw) > 1 for said in one.answers.values()):
                continue
            said = {name: min(json.loads(one.answers[name].raw[0])["score"]) for name in ("consistency", "quality")}
            rows.writerow(
                [one.case.task.value, one.case.language, one.intersection, said["consistency"], said["quality"]]
            )
    groups: dict[str, dict[str, list[float]]] = {}
    with path.open(newline="") as file:
        for task, spoken, inside, consistency, quality in csv.reader(file):
            if spoken != language or (intersection and inside != "True"):
                continue
            group = groups.setdefault(task, {"SC": [], "PQ": [], "O": []})
            group["SC"].append(float(consistency))
            group["PQ"].append(float(quality))
            group["O"].append(math.sqrt(float(consistency) * float(quality)))
    means = {task: {m: math.fsum(v) / len(v) for m, v in group.items()} for task, group in groups.items()}
    means["mean"] = {m: math.fsum(one[m] for one in means.values()) / len(means) for m in ("SC", "PQ", "O")}
    return means


@pytest.mark.parametrize("arithmetic", ["official", "own"])
def test_a_golden_set_has_the_released_statistics(arithmetic: str, tmp_path: Path) -> None:
    cases = drawn_log(5)
    scores = table(tmp_path, cases, arithmetic=arithmetic)
    for section in scores.sections:
        golden = released_statistics(
            cases, tmp_path / "rows.csv", language=section.language, intersection=section.subset == "intersection"
        )
        for metric in METRICS:
            assert section.macro[metric].value == pytest.approx(golden["mean"][metric], abs=1e-9)
            for one in section.tasks:
                assert one.means[metric].value == pytest.approx(golden[one.task.value][metric], abs=1e-9)
    assert len(scores.sections) == 4


def test_the_overall_score_is_the_root_of_the_products_of_each_case(tmp_path: Path) -> None:
    case = judged(1, EditTask.STYLE_TRANSFER, {"consistency": answer(8, 6), "quality": answer(9, 7)})
    (section, _) = table(tmp_path, (case,)).sections
    assert [section.macro[metric].value for metric in METRICS] == pytest.approx([6, 7, 6.48], abs=0.001)


def test_each_task_weighs_alike_in_one_mean_and_each_case_in_the_other(tmp_path: Path) -> None:
    cases = [judged(0, EditTask.STYLE_TRANSFER, {"consistency": answer(9, 9), "quality": answer(9, 9)})]
    for number in range(1, 4):
        cases.append(judged(number, EditTask.MOTION_CHANGE, {"consistency": answer(1, 1), "quality": answer(1, 1)}))
    (section, _) = table(tmp_path, tuple(cases)).sections
    assert section.macro["O"].value == 5
    assert section.sample["O"].value == 3


def test_every_case_is_counted_once_beside_its_mean(tmp_path: Path) -> None:
    cases = (
        judged(0, EditTask.STYLE_TRANSFER, {"consistency": answer(8, 8), "quality": answer(8, 8)}),
        judged(1, EditTask.STYLE_TRANSFER, {"consistency": answer(8, 8), "quality": unread("no", "no", "no")}),
        judged(2, EditTask.STYLE_TRANSFER, None),
    )
    run = read_judged_run(write_run(tmp_path, "editor", cases, given=2))
    section = score_table(run).sections[0]
    assert section.counts.model_dump() == {"scored": 1, "unscored": 1, "missing": 1, "unjudged": 2}
    assert section.counts.cases == 5
    assert section.macro["O"].value == pytest.approx(8)


def test_a_task_without_a_scored_case_leaves_no_mean_over_tasks(tmp_path: Path) -> None:
    cases = (
        judged(0, EditTask.STYLE_TRANSFER, {"consistency": answer(8, 8), "quality": answer(8, 8)}),
        judged(1, EditTask.MOTION_CHANGE, None),
    )
    section = table(tmp_path, cases).sections[0]
    assert section.macro["O"].value is None
    assert section.unserved == (EditTask.MOTION_CHANGE,)
    assert section.sample["O"].value == pytest.approx(8)


FAULTS = {
    "a number 0..10 by chance": ("The picture is fine.", "Still fine: [7, 7]"),
    "mends them": ('{"score": [8, 9], reasoning: lost}', "[8, 9]"),
    "starts the case over": ('{"score": []}', "[8, 9]"),
    "no second answer": ("Nice.",),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_what_the_released_scorer_would_make_up_is_listed(reason: str, tmp_path: Path) -> None:
    good = answer(8, 8)
    cases = (
        judged(0, EditTask.STYLE_TRANSFER, {"consistency": good, "quality": good}),
        judged(1, EditTask.STYLE_TRANSFER, {"consistency": good, "quality": unread(*FAULTS[reason])}),
    )
    scores = table(tmp_path, cases, arithmetic="official")
    (left,) = scores.left_out
    assert reason in left.reason
    assert left.case == cases[1].case
    assert scores.sections[0].counts.scored == 1
    assert scores.sections[0].tasks[0].means["O"].value == pytest.approx(8)


def test_what_only_the_released_scorer_takes_counts_in_its_arithmetic_alone(tmp_path: Path) -> None:
    cases = (
        judged(0, EditTask.STYLE_TRANSFER, {"consistency": answer(11, 12), "quality": answer(8, 8)}),
        judged(1, EditTask.STYLE_TRANSFER, {"consistency": answer(4), "quality": answer(8, 8, 2)}),
        judged(2, EditTask.STYLE_TRANSFER, {"consistency": answer(-1, 3), "quality": answer(8, 8)}),
    )
    folder = write_run(tmp_path, "editor", cases)
    own, official = (score_table(read_judged_run(folder), arithmetic=one) for one in ("own", "official"))
    assert own.sections[0].counts.unscored == 3
    assert official.sections[0].tasks[0].means["SC"].value == pytest.approx((11 + 4) / 2)
    assert official.sections[0].tasks[0].means["PQ"].value == pytest.approx((8 + 2) / 2)
    assert [one.reason for one in official.left_out] == ["a negative product, at which the released script stops"]


@pytest.mark.parametrize(
    ("text", "last", "score"),
    [
        ('Here: {"score": [8, 6], "reasoning": "x"} so', False, 6),
        ('{"score": 7}', True, 7),
        ('||V^=^V||{"score": [3, 4]}||V^=^V|| {', False, 3),
        ('{"score": [5,\n 9]}', False, 5),
        ("[4, 9]", False, 4),
        ("[4, 9]", True, None),
        (" 10\n", False, 10),
        ("11", False, None),
        ("[4.5, 9]", False, None),
        ('{"score": ["8", 9]}', False, None),
        ("", True, None),
    ],
)
def test_answers_are_read_as_the_released_scorer_reads_them(text: str, last: bool, score: float | None) -> None:
    assert read_officially(text, last=last).score == score


def test_scores_do_not_depend_on_the_order_of_the_log(tmp_path: Path) -> None:
    cases = drawn_log(8, most=4)
    first, second = table(tmp_path / "one", cases), table(tmp_path / "two", tuple(reversed(cases)))
    assert first.model_dump_json() == second.model_dump_json()


def test_a_log_with_line_separators_in_the_judges_words_is_read(tmp_path: Path) -> None:
    case = judged(0, EditTask.STYLE_TRANSFER, {"consistency": unread("no\u2028no"), "quality": answer(1, 2)})
    assert read_judged_run(write_run(tmp_path, "editor", (case,))).cases == (case,)


def test_bad_logs_are_refused_in_one_sentence(tmp_path: Path) -> None:
    case = judged(0, EditTask.STYLE_TRANSFER, {"consistency": answer(8, 8), "quality": answer(8, 8)})
    with pytest.raises(DataError, match="twice"):
        table(tmp_path / "double", (case, case))
    with pytest.raises(DataError, match="without a case"):
        table(tmp_path / "empty", ())
    with pytest.raises(DataError, match="no judge's log"):
        judged_folders(tmp_path / "nowhere")
    folder = write_run(tmp_path / "torn", "editor", (case,))
    (folder / "log.jsonl").write_text('{"case": 3}\n')
    with pytest.raises(DataError, match=r"log\.jsonl, line 1, in which case is wrong"):
        read_judged_run(folder)


def test_runs_of_other_judges_or_other_cases_are_not_compared(tmp_path: Path) -> None:
    case = judged(0, EditTask.STYLE_TRANSFER, {"consistency": answer(8, 8), "quality": answer(8, 8)})
    first = read_judged_run(write_run(tmp_path, "one", (case,)))
    other = JUDGE.model_copy(update={"model": "gpt-5", "prompt_sha256": "b" * 64})
    with pytest.raises(DataError, match="another model and prompt_sha256"):
        check_comparable([first, read_judged_run(write_run(tmp_path, "two", (case,), judge=other))])
    reworded = case.model_copy(update={"instruction": "something else"})
    with pytest.raises(DataError, match=f"differs for {case.case}"):
        check_comparable([first, read_judged_run(write_run(tmp_path, "three", (reworded,)))])
