"""The released arithmetic on the answers of a judge's log, without its guesses.

Where the released scorer draws a number by chance, mends broken JSON, or asks without end, the case is listed and left out:
what it would have printed cannot be known from the answers. One difference remains. It asks both questions again when one
answer cannot be read; a log of ours holds a second answer to the unread question only, so the first answer to the other
one stands.

Source: The evaluation code and the statistics script of stepfun-ai/Step1X-Edit, folder GEdit-Bench, as of May 2025.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

from step1x_edit.benchmark.scores.official_reading import OfficialReading, read_officially
from step1x_edit.benchmark.scores.samples import Sample, checked
from step1x_edit.schema.judged import JudgedCase, Question
from step1x_edit.schema.judged_scores import LeftOut

__all__ = ["official_samples"]

QUESTIONS: tuple[Question, Question] = ("consistency", "quality")
_UNKNOWN = {
    "none": "unreadable twice: the released scorer draws a number 0..10 by chance",
    "repair": "braces that are no JSON: the released scorer mends them, or asks again without end",
    "error": "JSON without usable scores: the released scorer starts the case over",
}


def official_samples(cases: Iterable[JudgedCase]) -> tuple[tuple[Sample, ...], tuple[LeftOut, ...]]:
    """Return the cases as the released scorer reads them, and those for which it would have made a score up.

    Raises:
        DataError: A case comes twice, or there is none.
    """
    samples, left_out = [], []
    for case in cases:
        outcome = _scores(case) if case.edited_sha256 is not None else None
        values = outcome if isinstance(outcome, tuple) else None
        state = "missing" if outcome is None else "scored" if values else "unscored"
        samples.append(Sample(id=case.case, intersection=case.intersection, state=state, values=values))
        if isinstance(outcome, LeftOut):
            left_out.append(outcome)
    return checked(samples), tuple(left_out)


def _scores(case: JudgedCase) -> tuple[float, float, float] | LeftOut:
    found: list[float] = []
    for question in QUESTIONS:
        answer = case.answers.get(question)
        raw = answer.raw if answer is not None else ()
        score = _score(raw)
        if isinstance(score, str):
            return LeftOut(case=case.case, reason=f"{question}: {score}", raw=raw[:2])
        found.append(score)
    consistency, quality = found
    if consistency * quality < 0:
        raw = tuple(case.answers[question].raw[0] for question in QUESTIONS)
        return LeftOut(case=case.case, reason="a negative product, at which the released script stops", raw=raw)
    return consistency, quality, sqrt(consistency * quality)


def _score(raw: tuple[str, ...]) -> float | str:
    """Return the score of the first answer, or of the second where the first says nothing; or why there is none."""
    if not raw:
        return "no answer in the log"
    reading = read_officially(raw[0], last=False)
    if reading.kind == "none":
        if len(raw) == 1:
            return "unreadable for the released scorer, and no second answer in the log"
        reading = read_officially(raw[1], last=True)
    return _known(reading)


def _known(reading: OfficialReading) -> float | str:
    return _UNKNOWN[reading.kind] if reading.score is None else reading.score
