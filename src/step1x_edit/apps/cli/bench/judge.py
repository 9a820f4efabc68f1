"""``step1x bench judge``: an editor's pictures and a judge → the sample log that all scores are made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from step1x_edit.errors import DataError, RequestError

if TYPE_CHECKING:
    from step1x_edit.benchmark.cases.case import JudgeableCase
    from step1x_edit.benchmark.cases.case_set import Cases
    from step1x_edit.benchmark.judging.estimate import Price
    from step1x_edit.schema.judged import CaseLanguage

__all__ = ["judge"]


def judge(
    folder: Annotated[
        Path,
        typer.Argument(
            help="The editor's folder, results/METHOD, as `step1x bench run` or the released code wrote it."
        ),
    ],
    cases: Annotated[
        str, typer.Option("--suite", metavar="NAME|PATH", help="The cases: gedit, a mini suite, or a path of either.")
    ] = "gedit",
    judge_url: Annotated[
        str | None, typer.Option(help="OpenAI-compatible address of the judge, up to /v1.  [STEP1X_ASK_URL]")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Its name there; a dated one, such as gpt-4.1-2025-04-14.  [STEP1X_ASK_MODEL]")
    ] = None,
    local: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Judge with Qwen2.5-VL in this folder instead.")
    ] = None,
    judge_prompts: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Questions of yours, or the released vie_prompts.py.  [our own wording]"),
    ] = None,
    protocol: Annotated[
        Literal["gpt4o", "qwen25vl"] | None,
        typer.Option(help="Order, encoding and decoding, as the released back-end so called.  [by the model's name]"),
    ] = None,
    structured: Annotated[
        bool | None,
        typer.Option(
            "--structured/--no-structured", help="Hold answers to a JSON schema.  [with our own wording only]"
        ),
    ] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2, help="Over the protocol's.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=16, help="Longest answer, over the protocol's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Over the protocol's.")] = None,
    languages: Annotated[
        str | None,
        typer.Option(metavar="en,cn", help="Which to judge; the log then holds these alone.  [those with pictures]"),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Questions under way at a time.")] = 4,
    per_minute: Annotated[int | None, typer.Option(min=1, help="At most so many requests a minute.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="Longest wait for one answer.")] = 120.0,
    price: Annotated[
        str | None, typer.Option(metavar="IN,OUT", help="US dollars for a million tokens.  [known for some models]")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Of a local judge, such as cpu or cuda.")] = None,
    dtype: Annotated[str | None, typer.Option(help="Of a local judge: bfloat16, float16 or float32.")] = None,
    ask_again: Annotated[bool, typer.Option(help="Ask once more what was answered without scores.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before questions that cost.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what it would take; ask nothing.")] = False,
) -> None:
    """Ask a judge about every edited picture. Answers are kept: a second run asks only what is still open.

    Pictures and instructions go to the address that you give, and nowhere else; a key is read from STEP1X_ASK_KEY.
    Scores of our own wording are not comparable with published tables; those of other settings never mix.
    """
    from step1x_edit.apps.cli.bench.judging import JudgeOrder, run_judge

    order = JudgeOrder(
        url=judge_url,
        model=model,
        local=local,
        prompts=judge_prompts,
        protocol=protocol,
        structured=structured,
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
        seconds=seconds,
        device=device,
        dtype=dtype,
        at_once=at_once,
        per_minute=per_minute,
        price=_price(price),
        ask_again=ask_again,
        sure=yes,
        dry_run=dry_run,
    )
    run_judge(order, folder, _chosen(cases, folder, languages))


def _chosen(name: str, folder: Path, languages: str | None) -> tuple[JudgeableCase, ...]:
    from step1x_edit.benchmark.cases.case_set import chosen_cases
    from step1x_edit.benchmark.cases.opening import open_cases

    known: tuple[CaseLanguage, ...] = ("en", "cn")
    asked = {word.strip() for word in languages.split(",")} if languages else set()
    if not asked <= set(known):
        raise RequestError(given=f"--languages {languages}", expected="en, cn or both", remedy="Correct --languages.")
    drawn = {path.name for path in folder.glob("fullset/*/*") if path.is_dir()}
    wanted: tuple[CaseLanguage, ...] = tuple(one for one in known if one in (asked or drawn)) or known
    opened = open_cases(name)
    _refuse_other_cases(opened, folder)
    return tuple(case for _number, case in chosen_cases(opened, languages=wanted))


def _refuse_other_cases(cases: Cases, folder: Path) -> None:
    """Check that the pictures were made of these cases, where the folder says of which."""
    from step1x_edit.benchmark.generation.run_folder import SETTINGS, read_settings

    if not (folder / SETTINGS).is_file():
        return
    made = read_settings(folder)
    if made.fingerprint != cases.fingerprint:
        raise DataError(
            given=f"{folder}, whose pictures were made of {made.suite} ({made.fingerprint[:8]}), and the cases "
            f"{cases.name} ({cases.fingerprint[:8]})",
            expected="the cases that the pictures were made of",
            remedy="Name them with --suite.",
        )


def _price(text: str | None) -> Price | None:
    from step1x_edit.benchmark.judging.estimate import Price

    if text is None:
        return None
    try:
        told, said = (float(part) for part in text.split(","))
    except ValueError as fault:
        raise RequestError(
            given=f"--price {text}",
            expected="two numbers, US dollars for a million tokens in and out",
            remedy="Write it like --price 2.00,8.00.",
        ) from fault
    return Price(input=told, output=said)
