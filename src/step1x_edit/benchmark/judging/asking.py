"""One question to a judge, asked again where it failed: at most three times, waiting longer each time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from step1x_edit.benchmark.judging.judges import Judge
from step1x_edit.benchmark.judging.reading import Reading, read_answer
from step1x_edit.experts.multimodal_chat import ChatFailure, Reply
from step1x_edit.schema.judged import Answer

__all__ = ["SERVICE", "TRIES", "Waiting", "ask_question"]

TRIES = 4
"""The first one and three more."""
SERVICE = "service"
"""First word of a failure that says nothing about the picture: nobody answered."""
HOPELESS = {401, 403, 404}
"""Wrong key, no permission, no such model: no question will be answered."""
FINAL = {400, 413, 422}
"""The service will not take this question, however often it is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How long to wait before the next try."""

    first_seconds: float = 1.0
    """Before the second try; doubled before each further one."""
    longest_seconds: float = 60.0
    sleep: Callable[[float], object] = time.sleep

    def before(self, retry: int, wished: float | None) -> None:
        """Wait before a retry, counted from 0; at least as long as the service wishes, within the longest."""
        own = self.first_seconds * 2**retry
        self.sleep(min(max(own, wished or 0.0), self.longest_seconds))


def ask_question(
    judge: Judge,
    text: str,
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    *,
    waiting: Waiting,
    before_each: Callable[[], object] = lambda: None,
) -> Answer:
    """Ask, and ask again where no scores came.

    Args:
        judge: Who is asked.
        text: The question.
        pictures: What it is about, in the order they are shown.
        waiting: Back-off between tries.
        before_each: Called before every try, such as a limit of requests a minute.

    Returns:
        The scores of the first answer that can be read, or the last failure; every answer as it came in either case.

    Raises:
        ChatFailure: The service answers nobody with this key and model.
    """
    raw: list[str] = []
    reading = Reading(failure="empty")
    start = time.monotonic()
    for retry in range(TRIES):
        before_each()
        said, reading, again, wished = _try(judge, text, pictures)
        raw.append(said)
        if reading.scores is not None or not again or retry == TRIES - 1:
            break
        waiting.before(retry, wished)
    return Answer(
        scores=reading.scores,
        reasoning=reading.reasoning,
        raw=tuple(raw),
        failure=reading.failure,
        seconds=round(time.monotonic() - start, 3),
    )


def _try(
    judge: Judge, text: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]
) -> tuple[str, Reading, bool, float | None]:
    """Ask once; return the words, what they come to, whether to ask again, and how long the service asks to wait."""
    try:
        reply = judge.answering.reply(text, pictures)
    except ChatFailure as failure:
        if failure.status in HOPELESS:
            raise
        kind = "refusal" if failure.blocked else SERVICE
        reading = Reading(failure=f"{kind}: {failure.words}")
        return f"error: {failure.words}", reading, failure.status not in FINAL, failure.wait_seconds
    return reply.text or reply.refusal, _reading(reply), judge.varies, None


def _reading(reply: Reply) -> Reading:
    if reply.refusal:
        return Reading(failure=f"refusal: {' '.join(reply.refusal.split())[:200]}")
    reading = read_answer(reply.text)
    if reply.cut and reading.scores is None:
        return Reading(failure=f"{reading.failure} (cut off at the longest answer allowed)")
    return reading
