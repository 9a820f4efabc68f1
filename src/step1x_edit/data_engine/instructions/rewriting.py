"""Further wordings of a wish by a multimodal LLM, shown examples in the wanted voice (report, section 3.1).

Used only where an expert for ``ask`` is present. Each line of the answer is held to the wish: language, length, names and
directions; what fails is refused with its reason, and nothing is repaired.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from step1x_edit.data_engine.instructions.checks import language_agrees, sides_agree, unsaid
from step1x_edit.data_engine.instructions.vocabulary import Language
from step1x_edit.data_engine.instructions.wording import LENGTHS, length, word
from step1x_edit.data_engine.wish import Wish
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.schema.triplet import InstructionVariant, Voice

__all__ = ["Complaint", "Refused", "Rewritten", "can_be_held", "complaint", "question_for", "rewritten"]

EXAMPLES = 6
"""Wordings by the grammar that the model is shown."""
Complaint = Literal["language", "length", "direction", "name", "repeated", "surplus"]
"""Why a line is refused: not in its language; too short or long for its voice; another direction than the wish's, or none;
a name of the wish is missing; said before; more than were asked for."""
_LANGUAGES: dict[Language, str] = {"en": "English", "zh": "Chinese"}
_VOICES: dict[Voice, str] = {
    "detailed": "in full, careful sentences",
    "concise": "as briefly as possible",
    "user": "as somebody types a quick request, casual and without care for capitals and punctuation",
}
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):、]|（\d{1,2}）)\s*")
_QUOTES = "\"'“”‘’「」"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A line of an answer that was not taken."""

    text: str
    reason: Complaint


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What came of one question."""

    kept: tuple[InstructionVariant, ...]
    refused: tuple[Refused, ...]


def rewritten(
    wish: Wish,
    *,
    experts: ExpertSet,
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    language: Language,
    voice: Voice,
    count: int,
    known: Collection[str],
    rng: np.random.Generator,
) -> Rewritten:
    """Ask a multimodal LLM for new wordings of a wish and keep the faithful ones.

    Args:
        wish: What is asked for; one that :func:`can_be_held`.
        experts: Where ``ask`` is present.
        pictures: Reference image and target, RGB 0..255.
        language: Language of the wordings.
        voice: How they are said.
        count: How many are asked for; fewer may be kept.
        known: Texts that need not be said again.
        rng: Chooses the examples.

    Returns:
        Wordings with the model's id as their writer, and every other line of the answer with its reason.

    Raises:
        ExpertError: The model was asked and failed.
        MissingExtra: There is no model.
    """
    examples = [word(wish, language=language, voice=voice, rng=rng) for _ in range(EXAMPLES)]
    answer = experts.ask(question_for(examples, language=language, voice=voice, count=count), pictures)
    writer, heard = experts.part("ask").part, {text.casefold() for text in (*examples, *known)}
    kept: list[InstructionVariant] = []
    refused: list[Refused] = []
    for text in filter(None, map(_bare, answer.splitlines())):
        reason = complaint(text, wish, language=language, voice=voice)
        reason = reason or ("repeated" if text.casefold() in heard else "surplus" if len(kept) == count else None)
        if reason is None:
            heard.add(text.casefold())
            kept.append(InstructionVariant(language=language, voice=voice, text=text, writer=writer))
        else:
            refused.append(Refused(text=text, reason=reason))
    return Rewritten(kept=tuple(kept), refused=tuple(refused))


def can_be_held(wish: Wish, language: Language) -> bool:
    """Tell whether a wish names something that a text can be held to; a look of the whole picture does not."""
    return bool(unsaid("", wish, language))


def question_for(examples: Sequence[str], *, language: Language, voice: Voice, count: int) -> str:
    """Return the question: wordings of one edit as examples, and how many more are wanted."""
    shown = "\n".join(f"- {example}" for example in examples)
    return (
        "The first picture was edited into the second one. These requests all ask for exactly this edit:\n"
        f"{shown}\n"
        f"Write {count} other requests for the same edit in {_LANGUAGES[language]}, {_VOICES[voice]}. Vary verbs and"
        " sentence structure. Keep every name, colour and direction that the examples say, and add no others."
        " Answer with one request a line and nothing else."
    )


def complaint(text: str, wish: Wish, *, language: Language, voice: Voice) -> Complaint | None:
    """Return what is wrong with a text for a wish, the gravest first; None when it is faithful in its language and voice."""
    fewest, most = LENGTHS[language][voice]
    if not language_agrees(text, language):
        return "language"
    if not sides_agree(text, wish, language):
        return "direction"
    if unsaid(text, wish, language):
        return "name"
    return None if fewest <= length(text, language) <= most else "length"


def _bare(line: str) -> str:
    """Return a line without list mark and quotes."""
    return _LIST_MARK.sub("", line).strip().strip(_QUOTES).strip()
