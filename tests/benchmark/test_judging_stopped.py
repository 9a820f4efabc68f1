"""A judging that ends before its time loses nothing that was answered, and no two write at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event

import numpy as np
import pytest
from loopback_judge import loopback_judge
from test_judging import QUICKLY, cases_in, judge_at, judged

from step1x_edit.benchmark.judging import open_judging
from step1x_edit.errors import ExpertError, RequestError
from step1x_edit.experts.multimodal_chat import ChatFailure, Reply

pytest.importorskip("openai", reason="the package openai (extra `bench`) is not installed")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "results" / "toy"


class RefusesTheKeyOnce:
    """Says that the key is wrong to one question when all are under way, and answers the others only afterwards."""

    def __init__(self, questions: int) -> None:
        self.under_way, self.refused = Barrier(questions, timeout=20), Event()

    def reply(self, question: str, pictures: Sequence[np.ndarray] = ()) -> Reply:
        self.under_way.wait()
        if "wish 0\n" in question:
            self.refused.set()
            failure = ChatFailure(given="a wrong key", expected="a key", remedy="Give it.")
            failure.status = 401
            raise failure
        assert self.refused.wait(20)
        return Reply(text='{"reasoning": "", "score": [8, 7]}')


def test_answers_under_way_when_the_key_is_refused_are_kept(run: Path) -> None:
    cases = cases_in(run, 3)
    judge = replace(judge_at("http://localhost:1/v1"), answering=RefusesTheKeyOnce(6))
    with open_judging(run, cases, judge) as judging, pytest.raises(ChatFailure):
        judging.ask(at_once=6, waiting=QUICKLY)
    with open_judging(run, cases, judge) as judging:
        (still_open,) = judging.open_questions
    assert still_open.question == "consistency"
    assert still_open.pictures.case is cases[0]


def test_a_service_that_is_down_ends_the_run_and_keeps_what_was_answered(run: Path) -> None:
    cases = cases_in(run, 30)
    with loopback_judge(fault=lambda one, _before: None if "wish 0\n" in one.text else "500") as server:
        with pytest.raises(ExpertError, match="in a row that nobody answered"):
            judged(run, cases, judge_at(server.url))
        with open_judging(run, cases, judge_at(server.url)) as judging:
            assert len(judging.open_questions) == 59


def test_an_answer_that_broke_off_in_a_kill_is_asked_again(run: Path) -> None:
    cases = cases_in(run, 2)
    with loopback_judge() as server:
        first = judged(run, cases, judge_at(server.url))
        kept = next(run.glob("judged/*/answers.jsonl"))
        kept.write_bytes(kept.read_bytes()[:-20])
        again = judged(run, cases, judge_at(server.url))
    assert len(server.requests) == 5
    assert [row.overall for row in again] == [row.overall for row in first]
    assert all(json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines())


def test_one_judges_at_a_time(run: Path) -> None:
    cases, judge = cases_in(run, 1), judge_at("http://localhost:1/v1")
    with (
        open_judging(run, cases, judge),
        pytest.raises(RequestError, match="another process"),
        open_judging(run, cases, judge),
    ):
        pass
