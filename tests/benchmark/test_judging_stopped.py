"""A judging that ends before its time loses nothing that was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event

import numpy as np
import pytest
from test_judging import QUICKLY, cases_in, judge_at

from step1x_edit.benchmark.judging import open_judging
from step1x_edit.experts.multimodal_chat import ChatFailure, Reply

pytest.importorskip("openai", reason="the package openai (extra `bench`) is not installed")


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


def test_answers_under_way_when_the_key_is_refused_are_kept(tmp_path: Path) -> None:
    run = tmp_path / "results" / "toy"
    cases = cases_in(run, 3)
    judge = replace(judge_at("http://localhost:1/v1"), answering=RefusesTheKeyOnce(6))
    with open_judging(run, cases, judge) as judging, pytest.raises(ChatFailure):
        judging.ask(at_once=6, waiting=QUICKLY)
    with open_judging(run, cases, judge) as judging:
        (still_open,) = judging.open_questions
    assert still_open.question == "consistency"
    assert still_open.pictures.case is cases[0]
