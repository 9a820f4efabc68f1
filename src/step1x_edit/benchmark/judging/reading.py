"""Reads a judge's answer: two numbers from 0 to 10, or what is wrong with it. Nothing is ever guessed.

The released scorer repairs broken answers, takes numbers out of prose and, when all fails, draws a score at random. Here a
verdict is a whole JSON object (or nothing but a list of numbers); an answer cut off in the middle is not completed, since
``[8, 1`` may have been on its way to 10.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

__all__ = ["MARKS", "SCALE", "Reading", "read_answer"]

MARKS = 2
"""Numbers in an answer to either question."""
SCALE = (0.0, 10.0)
_KEYS = ("score", "scores")
_DELIMITER = "||V^=^V||"
"""VIEScore's older mark around the answer."""
_REFUSING = re.compile(
    r"\b(?:sorry|apologi[sz]e|can(?:no|')?t (?:help|assist|evaluate|judge|rate|comply|provide|fulfil)|(?:unable|not able) to)"
    r"|抱歉|无法|不能",
    re.IGNORECASE,
)
_NAMED = re.compile(r"""["']scores?["']\s*:""")
_FENCE = re.compile(r"^```[a-z]*\s*|\s*```$", re.IGNORECASE)
_DECODER = json.JSONDecoder(strict=False)
"""Line breaks inside strings are let through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an answer comes to: either scores or a failure."""

    scores: tuple[float, float] | None = None
    reasoning: str = ""
    failure: str = ""
    """ "empty", "refusal", "unreadable", "out of range" or "wrong length", with details after a colon."""


def read_answer(text: str) -> Reading:
    """Read the verdict in an answer; where there are several, the last one.

    Args:
        text: The answer as it came.

    Source:
        The form of answer of VIEScore (arXiv:2312.14867): an object with ``score``, a list, and ``reasoning``.
    """
    marked = text.split(_DELIMITER)[1] if text.count(_DELIMITER) >= 2 else text
    said = _FENCE.sub("", marked.strip()).strip()
    if not said:
        return Reading(failure="empty")
    found = _bare_list(said) or _last_verdict(said)
    if found is not None:
        marks, reasoning = found
        return _checked(marks, reasoning)
    if _REFUSING.search(said) and not _NAMED.search(said):
        return Reading(failure=f"refusal: {_short(said)}")
    return Reading(failure=f"unreadable: {_short(said)}")


def _bare_list(said: str) -> tuple[Any, str] | None:
    """Return a list that is the whole answer."""
    if not (said.startswith("[") and said.endswith("]")):
        return None
    try:
        marks = _DECODER.decode(said)
    except (ValueError, RecursionError):
        return None
    return (marks, "") if all(not isinstance(mark, dict | list) for mark in marks) else None


def _last_verdict(said: str) -> tuple[Any, str] | None:
    verdicts = list(_verdicts(said))
    if not verdicts:
        return None
    end, verdict = verdicts[-1]
    # A later verdict that breaks off takes the word back from those before it.
    if _NAMED.search(said, end):
        return None
    key = next(name for name in _KEYS if name in verdict)
    reasoning = verdict.get("reasoning", "")
    return verdict[key], reasoning if isinstance(reasoning, str) else json.dumps(reasoning, ensure_ascii=False)


def _verdicts(said: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield every whole object that names scores, with the place where it ends."""
    place = said.find("{")
    while place >= 0:
        try:
            value, end = _DECODER.raw_decode(said, place)
        except (ValueError, RecursionError):
            value, end = None, place + 1
        if isinstance(value, dict) and any(name in value for name in _KEYS):
            yield end, value
        else:
            end = place + 1
        place = said.find("{", end)


def _checked(marks: Any, reasoning: str) -> Reading:
    listed = marks if isinstance(marks, list) else [marks]
    numbers = [_number(mark) for mark in listed]
    if any(number is None for number in numbers):
        return Reading(failure=f"unreadable: {_short(json.dumps(marks, ensure_ascii=False))} are not numbers")
    found = [number for number in numbers if number is not None]
    if len(found) != MARKS:
        return Reading(failure=f"wrong length: {len(found)} instead of {MARKS} numbers")
    low, high = SCALE
    outside = [number for number in found if not (isfinite(number) and low <= number <= high)]
    if outside:
        return Reading(failure=f"out of range: {outside[0]:g}")
    return Reading(scores=(found[0], found[1]), reasoning=reasoning)


def _number(mark: Any) -> float | None:
    if isinstance(mark, bool):
        return None
    if isinstance(mark, int | float):
        # A whole number too long for a float is beyond every scale.
        return float(mark) if abs(mark) < 1e300 else float("inf")
    if isinstance(mark, str) and re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", mark.strip()):
        return float(mark)
    return None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
