"""Judging against a real server on this machine: nothing invented, nothing lost, nothing asked twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from loopback_judge import FAULTS, JudgeRequest, drawn_verdict, loopback_judge
from PIL import Image

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.judging import Judge, chat_judge, estimate, open_judging, own_prompts
from step1x_edit.benchmark.judging.asking import TRIES, Waiting
from step1x_edit.benchmark.judging.pictures import edited_path, source_path
from step1x_edit.errors import DataError
from step1x_edit.schema.judged import CaseId, GenerationRecord, JudgedCase
from step1x_edit.schema.tasks import EditTask

pytest.importorskip("openai", reason="the package openai (extra `bench`) is not installed")

AT_ONCE = 16
QUICKLY = Waiting(first_seconds=0.001, longest_seconds=0.02)


def picture(number: int, size: tuple[int, int] = (24, 16)) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def cases_in(folder: Path, count: int, *, size: tuple[int, int] = (24, 16)) -> list[JudgeableCase]:
    """Cases of both languages with both pictures in the official layout."""
    tasks, cases = list(EditTask), []
    for number in range(count):
        name = CaseId(task=tasks[number % len(tasks)], language=("en", "cn")[number % 2], key=f"{number:032x}")
        edited_path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        picture(2 * number, size).save(source_path(folder, name))
        picture(2 * number + 1, size).save(edited_path(folder, name))
        cases.append(
            JudgeableCase(
                id=name,
                instruction=f"wish {number}",
                intersection=number % 3 == 0,
                open_source=lambda number=number: picture(2 * number, size),
            )
        )
    return cases


def judge_at(url: str, *, seconds: float = 20.0, structured: bool | None = None) -> Judge:
    return chat_judge(
        base_url=url, model="gpt-4.1-2025-04-14", prompts=own_prompts(), seconds=seconds, structured=structured
    )


def judged(
    folder: Path, cases: list[JudgeableCase], judge: Judge, *, ask_again: bool = False
) -> tuple[JudgedCase, ...]:
    with open_judging(folder, cases, judge, ask_again=ask_again) as judging:
        judging.ask(at_once=AT_ONCE, waiting=QUICKLY)
        return judging.write_log()


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "results" / "toy"


def test_each_question_arrives_in_the_protocols_form_and_its_scores_come_back(run: Path) -> None:
    cases = cases_in(run, 2)
    with loopback_judge() as server:
        rows = judged(run, cases, judge_at(server.url))
    assert len(server.requests) == 4
    wanted = {(one.question, one.pictures[-1].shape): drawn_verdict(one) for one in server.requests}
    assert len(wanted) == 2 and all(one.text_first for one in server.requests)
    for one in server.requests:
        assert one.picture_urls[0].startswith("data:image/jpeg;base64,")
        assert "temperature" not in one.body and one.body["max_tokens"] == 1400
        assert one.body["response_format"]["json_schema"]["name"] == "answer"
        assert ("wish" in one.text) == (one.question == "consistency")
    for row in rows:
        compared = next(one for one in server.requests if f"\n{row.instruction}\n" in one.text)
        assert row.answers["consistency"].scores == drawn_verdict(compared)
        assert row.score("consistency") == min(drawn_verdict(compared))
        assert row.answers["quality"].tries == 1


def test_qwen_sees_pictures_first_as_png_and_is_asked_greedily(run: Path) -> None:
    cases = cases_in(run, 1)
    with loopback_judge() as server:
        judge = chat_judge(base_url=server.url, model="Qwen2.5-VL-72B-Instruct-AWQ", prompts=own_prompts())
        judged(run, cases, judge)
    source, edited = (np.asarray(picture(number)) for number in (0, 1))
    both = next(one for one in server.requests if one.question == "consistency")
    assert not both.text_first and both.body["temperature"] == 0 and both.body["seed"] == 42
    assert np.array_equal(both.pictures[0], source) and np.array_equal(both.pictures[1], edited)


def test_an_edited_picture_of_another_size_is_judged_at_the_sources(run: Path) -> None:
    cases = cases_in(run, 1)
    picture(9, (50, 30)).save(edited_path(run, cases[0].id))
    with loopback_judge() as server:
        judged(run, cases, judge_at(server.url))
    assert {one.shape for request in server.requests for one in request.pictures} == {(16, 24, 3)}


def test_a_second_run_asks_nothing_and_leaves_equal_files(run: Path) -> None:
    cases = cases_in(run, 5)
    with loopback_judge() as server:
        first = judged(run, cases, judge_at(server.url))
        asked, files = len(server.requests), files_of(run)
        assert judged(run, cases, judge_at(server.url)) == first
    assert (asked, len(server.requests)) == (10, 10)
    assert files_of(run) == files


def test_what_changes_is_asked_anew_and_nothing_else(run: Path) -> None:
    cases = cases_in(run, 3)
    with loopback_judge() as server:
        judged(run, cases, judge_at(server.url))
        picture(99).save(edited_path(run, cases[1].id))
        judged(run, cases, judge_at(server.url))
    assert len(server.requests) == 6 + 2


def test_a_thousand_faults_invent_no_score_and_lose_no_case(run: Path) -> None:
    """Each question fails once to for ever, in any of nine ways; which, follows from the question."""
    cases = cases_in(run, 270)
    kinds = list(FAULTS)

    def plan(request: JudgeRequest) -> tuple[list[str], int]:
        draw = random.Random(request.digest)
        return draw.choices(kinds, weights=[1 if kind == "time-out" else 4 for kind in kinds], k=TRIES), draw.choice(
            (1, 2, 3, TRIES)
        )

    def fault(request: JudgeRequest, before: int) -> str | None:
        ways, times = plan(request)
        return ways[before % TRIES] if before < times else None

    with loopback_judge(fault=fault) as server:
        rows = judged(run, cases, judge_at(server.url, seconds=3.0))
    assert server.faults.total() >= 1000 and set(server.faults) == set(kinds)
    assert [row.case for row in rows] == [case.id for case in cases]
    asked = {}
    for request in server.requests:
        asked.setdefault(request.digest, request)
    unscored = 0
    by_question = {(one.question, one.picture_urls[-1]): one for one in asked.values()}
    assert len(by_question) == 2 * len(cases)
    given = {(one.question, _shown(one)): one for one in asked.values()}
    for row, case in zip(rows, cases, strict=True):
        edited = _jpeg(np.asarray(Image.open(edited_path(run, case.id))))
        for question, answer in row.answers.items():
            request = given[question, edited]
            if answer.scores is not None:
                assert answer.scores == drawn_verdict(request)
            else:
                unscored += 1
                assert answer.failure and answer.tries == TRIES
        assert set(row.answers) == {"consistency", "quality"}
    assert 0 < unscored < len(asked)


def _shown(request: JudgeRequest) -> bytes:
    return request.pictures[-1].tobytes()


def _jpeg(pixels: np.ndarray) -> bytes:
    from io import BytesIO

    content = BytesIO()
    Image.fromarray(pixels).save(content, format="JPEG")
    return np.asarray(Image.open(content).convert("RGB")).tobytes()


@pytest.mark.parametrize("way", [way for way in FAULTS if way != "time-out"])
def test_a_fault_that_lasts_is_named_and_keeps_every_answer(run: Path, way: str) -> None:
    cases = cases_in(run, 1)
    with loopback_judge(fault=lambda _request, _before: way) as server:
        (row,) = judged(run, cases, judge_at(server.url))
    words = {
        "half json": "unreadable",
        "prose": "unreadable",
        "429": "service: status 429",
        "500": "service: status 500",
    }
    for answer in row.answers.values():
        assert answer.scores is None and len(answer.raw) == TRIES
        assert answer.failure.startswith(words.get(way, way))
    assert row.state == "unscored"


def test_only_the_failed_question_is_asked_again(run: Path) -> None:
    cases = cases_in(run, 1)
    with loopback_judge(
        fault=lambda one, before: "prose" if one.question == "quality" and before < 2 else None
    ) as server:
        (row,) = judged(run, cases, judge_at(server.url))
    assert row.state == "scored"
    assert (row.answers["consistency"].tries, row.answers["quality"].tries) == (1, 3)
    assert len(server.requests) == 4


def test_what_nobody_answered_is_asked_by_the_next_run_and_what_was_unreadable_on_demand(run: Path) -> None:
    cases, way = cases_in(run, 1), {"consistency": "500", "quality": "prose"}
    with loopback_judge(fault=lambda one, before: way[one.question] if before < TRIES else None) as server:
        first = judged(run, cases, judge_at(server.url))[0]
        second = judged(run, cases, judge_at(server.url))[0]
        third = judged(run, cases, judge_at(server.url), ask_again=True)[0]
    assert [row.score("consistency") is None for row in (first, second, third)] == [True, False, False]
    assert [row.score("quality") is None for row in (first, second, third)] == [True, True, False]


def test_missing_pictures_are_named_with_their_reason_and_never_asked_about(run: Path) -> None:
    cases = cases_in(run, 4)
    edited_path(run, cases[0].id).unlink()
    edited_path(run, cases[1].id).write_bytes(b"no picture")
    record = GenerationRecord(case=cases[2].id, outcome="refused", reason="not allowed", seconds=1, seed=None)
    (run / "generation.jsonl").write_text(record.model_dump_json() + "\n", encoding="utf-8")
    with loopback_judge() as server:
        rows = judged(run, cases, judge_at(server.url))
    assert [row.missing for row in rows] == ["no file", "no file that is a whole picture", "refused: not allowed", ""]
    assert [row.state for row in rows[:3]] == ["missing"] * 3
    assert len(server.requests) == 2


def test_a_run_without_pictures_is_refused(run: Path) -> None:
    cases = cases_in(run, 1)
    edited_path(run, cases[0].id).unlink()
    with (
        pytest.raises(DataError, match="no edited picture"),
        open_judging(run, cases, judge_at("http://localhost:1/v1")),
    ):
        pass


def test_cost_is_known_before_anything_is_asked(run: Path) -> None:
    cases = cases_in(run, 3)
    judge = judge_at("http://localhost:1/v1")
    with open_judging(run, cases, judge) as judging:
        cost = estimate(judging.open_questions, judge, per_minute=3)
    assert cost.questions == 6 and cost.least_minutes == 2
    assert cost.input_tokens > 9 * 425
    assert cost.dollars == pytest.approx((cost.input_tokens * 2 + cost.output_tokens * 8) / 1e6)
