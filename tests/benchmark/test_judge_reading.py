"""What counts as a judge's answer, and what does not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step1x_edit.benchmark.judging import own_prompts, read_prompts
from step1x_edit.benchmark.judging.reading import read_answer
from step1x_edit.errors import RequestError

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    "text",
    [
        '{"score": [8, 6], "reasoning": "ok"}',
        '{"reasoning": "line\nbreak {braces} \\"quoted\\"", "scores": [8, 6]}',
        '```json\n{"score": [8, 6]}\n```',
        'Here is my verdict:\n{"score": ["8", "6"], "reasoning": "ok"} Thank you.',
        '||V^=^V||\n{"score": [8.0, 6]}\n||V^=^V||',
        '{"verdict": {"score": [8, 6]}}',
        '{"score": [1, 1]} On second thought: {"score": [8, 6]}',
        " [8, 6]\n",
    ],
)
def test_a_whole_verdict_is_read_in_whatever_it_is_wrapped(text: str) -> None:
    assert read_answer(text).scores == (8, 6)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("", "empty"),
        (" \n```\n```", "empty"),
        ("I'm sorry, but I can't assist with that.", "refusal"),
        ("抱歉，我无法评价这张图片。", "refusal"),
        ("It is good, 8 out of 10 or even [8, 9].", "unreadable"),
        ('{"score": [8, 1', "unreadable"),
        ('{"score": [8, 7], "reasoning": "the', "unreadable"),
        ('{"score": [3, 3]} No: {"score": [8, ', "unreadable"),
        ('{"score": [8, "good"]}', "unreadable"),
        ('{"score": [true, 8]}', "unreadable"),
        ('{"score": [8, null]}', "unreadable"),
        ('{"score": {"a": 8}}', "unreadable"),
        ('{"score": 8}', "wrong length"),
        ('{"score": []}', "wrong length"),
        ('{"score": [8, 7, 6]}', "wrong length"),
        ('{"score": [8, 11]}', "out of range"),
        ('{"score": [-1, 8]}', "out of range"),
        ('{"score": [8, NaN]}', "out of range"),
        ('{"score": [8, 1e999]}', "out of range"),
        ('{"score": [8, 1' + "0" * 400 + "]}", "out of range"),
        ("{" * 3000, "unreadable"),
        ("[" * 3000 + "]", "unreadable"),
    ],
)
def test_anything_else_is_a_failure_by_name(text: str, failure: str) -> None:
    reading = read_answer(text)
    assert reading.scores is None
    assert reading.failure.startswith(failure)


@given(st.integers(0, 10), st.integers(0, 10), st.text(max_size=60))
def test_no_part_of_an_answer_is_taken_for_the_whole(first: int, second: int, words: str) -> None:
    import json

    text = json.dumps({"reasoning": words, "score": [first, second]}, ensure_ascii=False)
    assert read_answer(text).scores == (first, second)
    for end in range(len(text)):
        assert read_answer(text[:end]).scores is None


def test_our_questions_have_a_place_for_the_instruction_and_are_marked_as_ours() -> None:
    prompts = own_prompts()
    assert prompts.own and "paint it blue" in prompts.asked("consistency", "paint it blue")
    assert prompts.asked("quality", "paint it blue") == prompts.quality


def test_questions_of_the_users_are_read_as_text_and_as_the_released_file(tmp_path: Path) -> None:
    plain, released = tmp_path / "plain", tmp_path / "released"
    plain.mkdir()
    (released / "viescore").mkdir(parents=True)
    (plain / "consistency.txt").write_text("A\nB\nC <instruction>", encoding="utf-8")
    (plain / "quality.txt").write_text("A\nD", encoding="utf-8")
    names = {
        "_context_no_delimit": "A",
        "_prompts_0shot_two_image_edit_rule": "B",
        "_prompts_0shot_tie_rule_SC": "C <instruction>",
        "_prompts_0shot_rule_PQ": "D",
    }
    code = "\n".join(f"{name} = {text!r}" for name, text in names.items()) + "\nraise SystemExit('it was run')\n"
    assert ast.parse(code)
    (released / "viescore" / "vie_prompts.py").write_text(code, encoding="utf-8")
    assert read_prompts(plain) == read_prompts(released) == read_prompts(released / "viescore")
    assert read_prompts(plain).sha256 != own_prompts().sha256 and not read_prompts(plain).own


def test_unusable_questions_are_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"consistency\.txt"):
        read_prompts(tmp_path)
    (tmp_path / "consistency.txt").write_text("Was it done?", encoding="utf-8")
    (tmp_path / "quality.txt").write_text("Is it good?", encoding="utf-8")
    with pytest.raises(RequestError, match="<instruction>"):
        read_prompts(tmp_path)
