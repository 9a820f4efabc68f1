"""Answers kept on disk: a question that was answered is never asked again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from step1x_edit.schema.judged import Answer, JudgeSettings, Question

__all__ = ["AnswerStore", "question_key"]


class _Line(NamedTuple):
    key: str
    answer: Answer


def question_key(settings: JudgeSettings, question: Question, instruction: str, pictures: tuple[str, ...]) -> str:
    """Return what an answer hangs on, as 64 hexadecimal digits.

    Args:
        settings: The judge's, with the hash of its prompts.
        question: Which of the two.
        instruction: As the judge is told; quality is asked without.
        pictures: Hashes of source and edited picture; the source's size decides how the edited one is shown, even alone.
    """
    told = instruction if question == "consistency" else ""
    asked = [settings.model_dump(mode="json"), question, told, pictures]
    return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()


class AnswerStore:
    """Answers by key in a file of lines, written as they come; a line that broke off in a kill is dropped.

    Args:
        path: The file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers: dict[str, Answer] = dict(_whole_lines(path))

    def get(self, key: str) -> Answer | None:
        """Return the answer kept under a key."""
        return self._answers.get(key)

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer; a later one takes the place of an earlier one."""
        self._answers[key] = answer
        line = json.dumps({"key": key, "answer": answer.model_dump(mode="json")}, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(f"{line}\n")


def _whole_lines(path: Path) -> list[_Line]:
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    lines = []
    for line in content[:whole].split(b"\n"):
        try:
            kept = json.loads(line)
            lines.append(_Line(kept["key"], Answer.model_validate(kept["answer"])))
        except (ValueError, KeyError, TypeError, ValidationError):  # A damaged line costs one question.
            continue
    return lines
