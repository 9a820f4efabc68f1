"""``step1x data rewrite``: a store → the same with further wordings by a multimodal LLM."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from step1x_edit.errors import RequestError

if TYPE_CHECKING:
    from step1x_edit.experts.expert_set import ExpertSet
    from step1x_edit.schema.triplet import Voice

__all__ = ["rewrite"]


def rewrite(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished store; it is only read.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder of the new store; one that is there is gone on with.")
    ],
    ask_url: Annotated[
        str | None,
        typer.Option(
            help="OpenAI-compatible address of a multimodal LLM, up to /v1.  [STEP1X_ASK_URL; none by default]"
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Its name at that address.  [STEP1X_ASK_MODEL]")] = None,
    count: Annotated[
        int, typer.Option(min=1, max=20, help="Wordings that are asked for, of each triplet, language and voice.")
    ] = 2,
    voices: Annotated[
        str, typer.Option(metavar="NAME,...", help="Of detailed, concise, user: a question each, in both languages.")
    ] = "detailed,concise,user",
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Triplets that are asked about at the same time.")] = 4,
    seconds: Annotated[float, typer.Option(min=1, help="Longest wait for one answer.")] = 120.0,
    seed: Annotated[int, typer.Option(min=0, help="Chooses the examples that the model is shown.")] = 0,
) -> None:
    """Add wordings in English and Chinese by a multimodal LLM of yours; what does not say the edit is refused.

    Pictures and texts go to the address that you give, and nowhere else; a key is read from STEP1X_ASK_KEY. Answers are
    kept in the new store: the same command goes on after a stop, and asks nothing twice.
    """
    from step1x_edit.apps.cli.progress import counting_progress
    from step1x_edit.data_engine.rewording import Rewording, read_wordings, reword_store
    from step1x_edit.store import read_store_info

    experts = _asking(ask_url, model, seconds)
    rewording = Rewording(voices=_voices(voices), count=count, seed=seed)
    with counting_progress("triplets", sum(read_store_info(folder).kept.values())) as on_progress:
        manifest = reword_store(
            folder, out, experts=experts, rewording=rewording, at_once=at_once, on_progress=on_progress
        )
    said = Counter("taken" if one.taken else one.refused or "unasked" for one in read_wordings(out))
    taken, unasked = said.pop("taken", 0), said.pop("unasked", 0)
    typer.echo(f"{taken} wordings taken, {said.total()} refused{_reasons(said)}: {out}")
    if unasked:
        typer.echo(f"{unasked} questions were not asked: their triplets name nothing that a text could be held to.")
    typer.echo(f"manifest hash: {manifest.hash}")


def _asking(url: str | None, model: str | None, seconds: float) -> ExpertSet:
    from step1x_edit.apps.settings import read_settings
    from step1x_edit.experts.embedded import EmbeddedExperts
    from step1x_edit.experts.multimodal_chat import MultimodalChat

    settings = read_settings()
    url, model = url or settings.ask_url, model or settings.ask_model
    if url is None or model is None:
        raise RequestError(
            given="no " + ("address" if url is None else "model") + " to ask",
            expected="the address and the name of a multimodal LLM",
            remedy="Say --ask-url http://localhost:8000/v1 and --model NAME, or set STEP1X_ASK_URL and STEP1X_ASK_MODEL.",
        )
    chat = MultimodalChat(base_url=url, model=model, key=settings.ask_key, seconds=seconds)
    return EmbeddedExperts(settings.parts, chat=chat)


def _voices(text: str) -> tuple[Voice, ...]:
    from step1x_edit.data_engine.rewording import VOICES

    named = {word.strip() for word in text.split(",")}
    if not named <= set(VOICES):
        raise RequestError(
            given=f"the voices {text}", expected=f"some of {', '.join(VOICES)}", remedy="Correct --voices."
        )
    return tuple(voice for voice in VOICES if voice in named)


def _reasons(refused: Counter[str]) -> str:
    words = ", ".join(f"{reason} {number}" for reason, number in refused.most_common())
    return f" ({words})" if words else ""
