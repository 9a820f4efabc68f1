"""Further wordings of a wish by a multimodal LLM, shown examples in the wanted voice (report, section 3.1).

Used only where an expert for ``ask`` is present. Each line of the answer is held to the wish: language, length, names and
directions; what fails is dropped, and nothing is repaired.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from step1x_edit.data_engine.instructions.checks import language_agrees, sides_agree, unsaid
from step1x_edit.data_engine.instructions.phrases import Language
from step1x_edit.data_engine.instructions.wording import LENGTHS, length, word
from step1x_edit.data_engine.wish import Wish
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.schema.triplet import InstructionVariant, Voice

__all__ = ["is_faithful", "question_for", "rewritten"]

EXAMPLES = 6
"""Wordings by the grammar that the model is shown."""
_LANGUAGES: dict[Language, str] = {"en": "English", "zh": "Chinese"}
_VOICES: dict[Voice, str] = {
    "detailed": "in full, careful sentences",
    "concise": "as briefly as possible",
    "user": "as somebody types a quick request, casual and without care for capitals and punctuation",
}
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):、]|（\d{1,2}）)\s*")
_QUOTES = "\"'“”‘’「」"


def rewritten(
    wish: Wish,
    *,
    experts: ExpertSet,
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    language: Language,
    voice: Voice,
    count: int,
    rng: np.random.Generator,
) -> tuple[InstructionVariant, ...]:
    """Ask a multimodal LLM for new wordings of a wish and keep the faithful ones.

    Args:
        wish: What is asked for.
        experts: Where ``ask`` may be present.
        pictures: Reference image and target, RGB 0..255.
        language: Language of the wordings.
        voice: How they are said.
        count: How many are asked for; fewer may come back.
        rng: Chooses the examples.

    Returns:
        Wordings with the model's id as their writer; none when no model is there, or when the wish names nothing that a
        text could be held to (a look of the whole picture).

    Raises:
        ExpertError: The model was asked and failed.
    """
    if not experts.available("ask") or not unsaid("", wish, language):
        return ()
    examples = [word(wish, language=language, voice=voice, rng=rng) for _ in range(EXAMPLES)]
    answer = experts.ask(question_for(examples, language=language, voice=voice, count=count), pictures)
    known = {example.casefold() for example in examples}
    kept: list[str] = []
    for line in answer.splitlines():
        text = _LIST_MARK.sub("", line).strip().strip(_QUOTES).strip()
        if text.casefold() not in known and is_faithful(text, wish, language=language, voice=voice):
            known.add(text.casefold())
            kept.append(text)
    writer = experts.part("ask").part
    return tuple(InstructionVariant(language=language, voice=voice, text=text, writer=writer) for text in kept[:count])


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


def is_faithful(text: str, wish: Wish, *, language: Language, voice: Voice) -> bool:
    """Tell whether a text is in its language and voice, and says the names and directions of its wish."""
    fewest, most = LENGTHS[language][voice]
    return (
        fewest <= length(text, language) <= most
        and language_agrees(text, language)
        and sides_agree(text, wish, language)
        and not unsaid(text, wish, language)
    )
