"""Carries out ``step1x bench judge``: judge opened, cost told, questions asked, log written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from step1x_edit.apps.cli.progress import counting_progress
from step1x_edit.apps.settings import read_settings
from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.judging import (
    Judge,
    chat_judge,
    estimate,
    local_judge,
    open_judging,
    own_prompts,
    read_prompts,
)
from step1x_edit.benchmark.judging.estimate import Estimate, Price
from step1x_edit.benchmark.judging.judges import BackEnd
from step1x_edit.errors import RequestError
from step1x_edit.schema.judged import JudgedCase

__all__ = ["JudgeOrder", "run_judge"]

REASONS = 5
"""Reasons that are listed; the log has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOrder:
    """Who judges, how it is asked, and how fast."""

    url: str | None
    model: str | None
    local: Path | None
    prompts: Path | None
    protocol: BackEnd | None
    structured: bool | None
    temperature: float | None
    max_tokens: int | None
    seed: int | None
    seconds: float
    device: str | None
    dtype: str | None
    at_once: int
    per_minute: int | None
    price: Price | None
    ask_again: bool
    sure: bool
    dry_run: bool


def run_judge(order: JudgeOrder, folder: Path, cases: Sequence[JudgeableCase]) -> None:
    """Judge and say what came of it.

    Args:
        order: What is to be done.
        folder: The editor's.
        cases: In the order of the log.
    """
    judge = _judge(order)
    with open_judging(folder, cases, judge, ask_again=order.ask_again) as judging:
        known = estimate(judging.open_questions, judge, price=order.price, per_minute=order.per_minute)
        for line in _expectation(known, judge, order):
            typer.echo(line)
        if order.dry_run:
            return
        _make_sure(known, judge, order)
        with counting_progress("questions", len(judging.open_questions)) as on_progress:
            judging.ask(at_once=order.at_once, per_minute=order.per_minute, on_progress=on_progress)
        rows = judging.write_log()
        for line in _outcome(rows):
            typer.echo(line)
        typer.echo(f"log: {judging.place / 'log.jsonl'}")


def _judge(order: JudgeOrder) -> Judge:
    prompts = read_prompts(order.prompts) if order.prompts else own_prompts()
    if order.local is not None:
        _refuse_chat_options(order)
        return local_judge(order.local, prompts=prompts, device=order.device, dtype=order.dtype)
    settings = read_settings()
    url, model = order.url or settings.ask_url, order.model or settings.ask_model
    if url is None or model is None:
        raise RequestError(
            given="no " + ("address" if url is None else "model") + " of a judge",
            expected="the address and the name of a multimodal LLM, or a local one",
            remedy="Say --judge-url http://localhost:8000/v1 and --model NAME, or --local FOLDER.",
        )
    return chat_judge(
        base_url=url,
        model=model,
        key=settings.ask_key,
        prompts=prompts,
        protocol=order.protocol,
        structured=order.structured,
        temperature=order.temperature,
        max_tokens=order.max_tokens,
        seed=order.seed,
        seconds=order.seconds,
    )


def _refuse_chat_options(order: JudgeOrder) -> None:
    names = ("url", "model", "protocol", "structured", "temperature", "max_tokens", "seed")
    given = [name for name in names if getattr(order, name) is not None]
    if given:
        raise RequestError(
            given=f"a local judge and {', '.join(given)}",
            expected="a local judge, which is always asked as the released qwen25vl back-end",
            remedy="Take these options away, or take away --local.",
        )


def _expectation(known: Estimate, judge: Judge, order: JudgeOrder) -> list[str]:
    if not known.questions:
        return ["Every question is answered; nothing is asked."]
    where = f" at {judge.settings.service}" if judge.settings.service else ""
    cost = "unknown (say --price IN,OUT)" if known.dollars is None else f"about ${known.dollars:.2f}"
    limit = f", {order.per_minute} a minute, so at least {known.least_minutes:.0f} min" if order.per_minute else ""
    lines = [
        f"{known.questions} questions to {judge.settings.model}{where}, {order.at_once} at once{limit}",
        f"about {known.input_tokens:,} tokens in and {known.output_tokens:,} out",
    ]
    if judge.settings.backend == "openai":
        lines.append(f"cost: {cost}")
    if judge.settings.own_prompts:
        lines.append("questions in our own wording: scores are not comparable with published tables")
    return lines


def _make_sure(known: Estimate, judge: Judge, order: JudgeOrder) -> None:
    """Ask a person before money is or may be spent; a script said what it wants."""
    may_cost = judge.settings.backend == "openai" and known.dollars != 0
    if known.questions and may_cost and not order.sure and Console().is_terminal:
        typer.confirm("Ask them?", abort=True)


def _outcome(rows: Sequence[JudgedCase]) -> list[str]:
    states = Counter(row.state for row in rows)
    lines = [f"{len(rows)} cases: " + ", ".join(f"{states[one]} {one}" for one in ("scored", "unscored", "missing"))]
    failures = Counter(
        f"{question}: {answer.failure.partition(':')[0]}"
        for row in rows
        for question, answer in row.answers.items()
        if answer.scores is None
    )
    lines += [f"  {count} x {reason}" for reason, count in failures.most_common(REASONS)]
    if any(reason.endswith("service") for reason in failures):
        lines.append("  What nobody answered is asked again by the same command.")
    return lines
