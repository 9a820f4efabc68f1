"""The leaderboard: own rows in their place, and never beside rows that they do not compare with unsaid."""

from __future__ import annotations

import re
from pathlib import Path

from judged_logs import JUDGE, answer, drawn_log, judged, write_run

from step1x_edit.benchmark.leaderboard import Leaderboard, LeaderboardRow, leaderboard
from step1x_edit.benchmark.published.tables import published
from step1x_edit.benchmark.scores.judged_run import read_judged_run
from step1x_edit.schema.judged import JudgedCase, JudgeSettings


def whole_gedit() -> tuple[JudgedCase, ...]:
    """606 English cases in the published tasks, each scored 7 and 7; 434 in the intersection."""
    good = {"consistency": answer(7, 8), "quality": answer(9, 7)}
    tasks = [task for task, count in published().benchmark.tasks.items() for _ in range(count)]
    return tuple(judged(number, task, dict(good), intersection=number < 434) for number, task in enumerate(tasks))  # pyright: ignore


def own_row(board: Leaderboard) -> LeaderboardRow:
    (row,) = (one for one in board.rows if one.own)
    return row


def board_of(tmp_path: Path, cases: tuple[JudgedCase, ...], judge: JudgeSettings = JUDGE) -> Leaderboard:
    return leaderboard([read_judged_run(write_run(tmp_path, "mine", cases, judge=judge))])


def test_an_own_row_stands_in_its_place_with_hash_date_and_interval(tmp_path: Path) -> None:
    board = board_of(tmp_path, whole_gedit())
    values = [one.O for one in board.rows if one.O is not None]
    assert values == sorted(values, reverse=True)
    row = own_row(board)
    assert row.O is not None
    assert abs(row.O - 7) < 1e-9
    assert row.interval is not None
    assert row.prompt_sha256 == JUDGE.prompt_sha256
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", row.date)
    assert row.notes == (
        f"asked in the words {JUDGE.prompt_sha256[:12]}: compares only if these are the published ones",
    )
    assert any("judge published pictures with it first" in one for one in board.warnings)


def test_own_wording_another_judge_and_other_cases_are_said_not_to_compare(tmp_path: Path) -> None:
    other = JUDGE.model_copy(update={"own_prompts": True, "model": "qwen2.5-vl-7b"})
    notes = " | ".join(own_row(board_of(tmp_path, drawn_log(3), other)).notes)
    assert "our own wording" in notes
    assert "judged by qwen2.5-vl-7b" in notes
    assert "not the whole of GEdit-Bench" in notes
    assert "without a picture" in notes


def test_rows_share_a_letter_only_where_one_judge_saw_both() -> None:
    rows = leaderboard().rows
    letters = {(one.model, one.judge): one.group for one in rows}
    june, april = "GPT-4.1, June 2025", "GPT-4.1, April 2025"
    assert letters["Step1X-Edit v1.1", june] == letters["GPT-4o image", june]
    assert letters["GPT-4o image", june] != letters["GPT-4o image", april]
    assert {one.group for one in rows if one.date == "2025-2026"} == {"-"}
    assert len({one.group for one in rows if one.source.startswith(("LongCat", "FireRed"))}) == 2


def test_a_result_printed_twice_is_one_row_with_both_sources() -> None:
    (row,) = (
        one for one in leaderboard().rows if one.model == "Step1X-Edit v1.1" and one.judge == "GPT-4.1, June 2025"
    )
    assert "report v5" in row.source
    assert "project page" in row.source
    assert len(row.tasks) == 11
    assert (row.SC, row.PQ, row.O) == (7.658, 7.354, 6.969)


def test_a_run_without_the_language_is_named(tmp_path: Path) -> None:
    run = read_judged_run(write_run(tmp_path, "mine", whole_gedit()))
    assert "mine has no cases of this language and subset." in leaderboard([run], language="cn").warnings


def test_every_published_row_has_source_judge_date_and_subset() -> None:
    for family in ("gpt-4.1", "qwen2.5-vl-72b", "people"):
        for row in leaderboard(family=family).rows:  # pyright: ignore[reportArgumentType]
            assert row.source and row.judge and row.date and row.subset and row.group
