"""The released scorer's reading of a judge's answer, as far as it is no guess.

It differs from ours: numbers out of range pass, and so does a list of one number or of three.

Source:
    The evaluation code of stepfun-ai/Step1X-Edit, folder GEdit-Bench, as of May 2025 (VIEScore's answer parser).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["OfficialReading", "read_officially"]

DELIMITER = "||V^=^V||"
"""Stands before and after the answer in VIEScore's older prompts."""
PAIR = re.compile(r"\[\d+, ?\d+\]")
LARGEST = 1e150
"""Beyond it the product of two scores is no number any more; a judge that writes such things has not scored."""
LONE_NUMBERS = {str(number) for number in range(11)}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialReading:
    """What the released parser makes of an answer."""

    kind: Literal["scores", "none", "repair", "error"]
    """Scores; no braces and no bare numbers; braces that are not JSON, which it tries to mend; JSON that stops it."""
    score: float | None = None
    """The least of the numbers, where there are some."""


def read_officially(text: str, *, last: bool) -> OfficialReading:
    """Read an answer.

    Args:
        text: As it came.
        last: Whether it is the second answer, after which nothing is asked again: then braces alone count, and without
            them a number is drawn by chance.
    """
    between = _between_delimiters(text)
    body = between if between is not None else _between(text, "{", "}")
    if body is None:
        score = None if last else _bare(text)
        return OfficialReading(kind="none" if score is None else "scores", score=score)
    try:
        answer = json.loads(body.strip().replace("\n", ""))
    except (ValueError, RecursionError):
        return OfficialReading(kind="repair")
    return _from_json(answer)


def _from_json(answer: object) -> OfficialReading:
    score = answer.get("score") if isinstance(answer, dict) else None
    given = score if isinstance(score, list) else [score]
    numbers = [number for number in given if isinstance(number, (int, float)) and abs(number) < LARGEST]
    if not numbers or len(numbers) < len(given):
        return OfficialReading(kind="error")
    return OfficialReading(kind="scores", score=float(min(numbers)))


def _between_delimiters(text: str) -> str | None:
    return text.split(DELIMITER)[1] if text.count(DELIMITER) == 2 else None


def _between(text: str, opening: str, closing: str) -> str | None:
    start, end = text.find(opening), text.rfind(closing)
    return None if start == -1 or end == -1 else text[start : end + 1]


def _bare(text: str) -> float | None:
    """Return the lesser number of a bare list of two, or a bare number 0..10."""
    listed = _between(text, "[", "]")
    if listed is not None and PAIR.fullmatch(listed):
        return float(min(json.loads(listed)))
    return float(text) if text.strip() in LONE_NUMBERS else None
