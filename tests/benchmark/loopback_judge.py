"""A judge on this machine: a real HTTP server that speaks the OpenAI chat protocol and answers as it is told.

By default its scores follow from the bytes of the request's pictures and text, so equal requests get equal scores.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from threading import Event, Lock
from typing import Any

import numpy as np
from loopback_chat import loopback_chat, spoken
from PIL import Image

from step1x_edit.schema.judged import Question

__all__ = ["FAULTS", "JudgeRequest", "LoopbackJudge", "drawn_verdict", "loopback_judge", "verdict_text"]

SILENCE_SECONDS = 30.0
"""How long a "time-out" stays silent; longer than any test lets its client wait."""
FAULTS: dict[str, tuple[int, object]] = {
    "empty": (200, spoken("")),
    "refusal": (200, spoken("I'm sorry, but I can't help with judging this picture.")),
    "prose": (200, spoken("The edit is well done, an 8 out of 10 for effort, and I would give 7 for the rest.")),
    "half json": (200, spoken('{"reasoning": "The cat is gone", "score": [8, ')),
    "out of range": (200, spoken('{"score": [8, 11], "reasoning": "Beyond all measure."}')),
    "wrong length": (200, spoken('{"score": [8, 7, 9], "reasoning": "Three things."}')),
    "time-out": (200, spoken('{"score": [1, 1], "reasoning": "Too late."}')),
    "429": (429, {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}),
    "500": (500, {"error": {"message": "The server had an error", "type": "server_error"}}),
}
"""Ways of failing: status and body. None of them says what the score is."""


@dataclass(frozen=True)
class JudgeRequest:
    """What the judge was asked."""

    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The question with the instruction in it."""
        return next(part["text"] for part in self._content if part["type"] == "text")

    @property
    def picture_urls(self) -> tuple[str, ...]:
        """The pictures as they were sent, in their order."""
        return tuple(part["image_url"]["url"] for part in self._content if part["type"] == "image_url")

    @cached_property
    def pictures(self) -> tuple[np.ndarray, ...]:
        """The pictures decoded, RGB."""
        coded = (url.split(",")[1] for url in self.picture_urls)
        return tuple(np.asarray(Image.open(BytesIO(base64.b64decode(one))).convert("RGB")) for one in coded)

    @property
    def text_first(self) -> bool:
        """Whether the text stands before the pictures."""
        return self._content[0]["type"] == "text"

    @property
    def question(self) -> Question:
        """Two pictures are compared; one alone is looked at for its quality."""
        return "consistency" if len(self.picture_urls) == 2 else "quality"

    @cached_property
    def digest(self) -> str:
        """Tells requests apart by text and pictures."""
        return hashlib.sha256("\n".join((self.text, *self.picture_urls)).encode()).hexdigest()

    @property
    def _content(self) -> list[dict[str, Any]]:
        return self.body["messages"][-1]["content"]


@dataclass
class LoopbackJudge:
    """The running judge: where it answers, and everything it was asked."""

    url: str
    requests: list[JudgeRequest] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    """How often it failed in each way."""


def drawn_verdict(request: JudgeRequest) -> tuple[int, int]:
    """Two scores 0..10 that follow from the request's bytes."""
    return int(request.digest[:8], 16) % 11, int(request.digest[8:16], 16) % 11


def verdict_text(scores: tuple[float, float]) -> str:
    """A proper answer."""
    return json.dumps({"reasoning": "It looks so.", "score": list(scores)})


@contextmanager
def loopback_judge(
    verdict: Callable[[JudgeRequest], tuple[float, float]] = drawn_verdict,
    *,
    fault: Callable[[JudgeRequest, int], str | None] = lambda _request, _time: None,
) -> Iterator[LoopbackJudge]:
    """Serve until the block ends.

    Args:
        verdict: Scores of a request.
        fault: Given a request and how often it came before, the name in :data:`FAULTS` of how to fail, or None.
    """
    seen: Counter[str] = Counter()
    lock, closing = Lock(), Event()
    with loopback_chat() as chat:
        judge = LoopbackJudge(url=chat.url)

        def answer(body: dict[str, Any]) -> tuple[int, object]:
            request = JudgeRequest(body)
            with lock:
                before, seen[request.digest] = seen[request.digest], seen[request.digest] + 1
                judge.requests.append(request)
                failing = fault(request, before)
                judge.faults.update([failing] if failing else [])
            if failing is None:
                return 200, spoken(verdict_text(verdict(request)))
            if failing == "time-out":
                closing.wait(SILENCE_SECONDS)
            return FAULTS[failing]

        chat.answer = answer
        try:
            yield judge
        finally:
            closing.set()
