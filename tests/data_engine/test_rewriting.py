"""Wordings by a model: only where one is there, and only those that say the wish."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from drawn_experts import DrawnExperts

from step1x_edit.data_engine.instructions import places
from step1x_edit.data_engine.instructions.rewriting import can_be_held, rewritten
from step1x_edit.data_engine.objects import object_classes
from step1x_edit.data_engine.wish import Wish
from step1x_edit.experts.answers import PartVersion

WISH = Wish(key="subject-remove-placed", subject=object_classes()["dog"], place=places()["left"])
ANSWER = """1. Could the dog on the left go away?
2) "the dog on the left side is not wanted"
- Remove the dog on the right.
- remove the animal on the left
- 去掉左边的狗
- please remove the dog that is standing on the left side of this picture and also brighten all of the rest
- Could the dog on the left go away?
lose the left dog
"""


@dataclass
class OneAnswer(DrawnExperts):
    """A hosted model that always gives the same answer."""

    answer: str
    asked: list[str] = field(default_factory=list)

    def part(self, expert):
        return PartVersion(part="some-model-7b", version="1", licence="Apache-2.0")

    def ask(self, question, pictures):
        self.asked.append(question)
        return self.answer


def wordings(experts, wish=WISH, count=5):
    pictures = [np.zeros((8, 8, 3), dtype=np.uint8)] * 2
    rng = np.random.default_rng(0)
    return rewritten(
        wish, experts=experts, pictures=pictures, language="en", voice="user", count=count, known=(), rng=rng
    )


def test_faithful_lines_are_kept_with_their_writer_and_the_others_dropped():
    answer = wordings(OneAnswer(ANSWER))
    kept = answer.kept
    assert [one.text for one in kept] == [
        "Could the dog on the left go away?",
        "the dog on the left side is not wanted",
        "lose the left dog",
    ]
    assert {(one.writer, one.language, one.voice) for one in kept} == {("some-model-7b", "en", "user")}
    assert [one.reason for one in answer.refused] == ["direction", "name", "language", "length", "repeated"]


def test_no_more_are_kept_than_were_asked_for():
    answer = wordings(OneAnswer(ANSWER), count=1)
    assert len(answer.kept) == 1
    assert [one.reason for one in answer.refused].count("surplus") == 2


def test_the_model_is_shown_examples_of_the_same_edit():
    experts = OneAnswer(ANSWER)
    wordings(experts)
    assert experts.asked[0].lower().count("on the left") == 6


def test_a_look_of_the_whole_picture_names_nothing_that_a_text_could_be_held_to():
    assert can_be_held(WISH, "en") and can_be_held(WISH, "zh")
    assert not can_be_held(Wish(key="tone_transfer-night"), "en")
