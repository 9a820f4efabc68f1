"""What a judging will take, before anything is asked: requests, tokens, dollars, minutes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from step1x_edit.benchmark.judging.judges import Judge
from step1x_edit.benchmark.judging.running import OpenQuestion

__all__ = ["Estimate", "Price", "estimate", "known_price"]

CHARACTERS_PER_TOKEN = 4.0
"""Of English text, roughly."""
PICTURE_TOKENS = 425
"""Two tiles of 512 px at 170 tokens and a base of 85, OpenAI's rule: GEdit-Bench's pictures take one or two tiles."""
ANSWER_TOKENS = 80
"""Two sentences and two numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens."""

    input: float
    output: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is to be expected, without further tries."""

    questions: int
    input_tokens: int
    output_tokens: int
    dollars: float | None
    """None where no price is known."""
    least_minutes: float | None
    """With the limit of requests a minute; None without one."""


def known_price(model: str) -> Price | None:
    """Return the price of a hosted model, if it is in ``prices.toml``."""
    fitting = [name for name in _prices() if model.startswith(name)]
    return _prices()[max(fitting, key=len)] if fitting else None


def estimate(
    questions: Sequence[OpenQuestion], judge: Judge, *, price: Price | None = None, per_minute: int | None = None
) -> Estimate:
    """Estimate what asking takes.

    Args:
        questions: What is open.
        judge: Who is asked.
        price: Of the judge; by its name if open.
        per_minute: Limit of requests a minute.
    """
    prompts = judge.prompts
    characters = sum(len(prompts.asked(one.question, one.pictures.case.instruction)) for one in questions)
    pictures = sum(2 if one.question == "consistency" else 1 for one in questions)
    told = round(characters / CHARACTERS_PER_TOKEN) + PICTURE_TOKENS * pictures
    said = ANSWER_TOKENS * len(questions)
    price = price or (known_price(judge.settings.model) if judge.settings.backend == "openai" else None)
    return Estimate(
        questions=len(questions),
        input_tokens=told,
        output_tokens=said,
        dollars=None if price is None else (told * price.input + said * price.output) / 1e6,
        least_minutes=None if per_minute is None else len(questions) / per_minute,
    )


@cache
def _prices() -> dict[str, Price]:
    text = (files("step1x_edit.benchmark.judging") / "prices.toml").read_text(encoding="utf-8")
    return {name: Price(**values) for name, values in tomllib.loads(text).items()}
