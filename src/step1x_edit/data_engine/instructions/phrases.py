"""Words an edit as a user would type it: several phrasings, plain or casual, English or Chinese (``phrases.toml``)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from step1x_edit.data_engine.instructions.vocabulary import Colour, Place
from step1x_edit.data_engine.objects import ObjectClass

__all__ = ["Language", "phrase", "phrase_keys"]

Language = Literal["en", "zh"]

CASUAL, POLITE, DETAILED, CAPITAL, STOP = 0.12, 0.18, 0.15, 0.5, 0.25
"""How often a wish is casual, opens politely, adds a detail, starts with a capital, and ends with a full stop."""
POLITE_EN = ("please ", "please ", "can you ", "could you please ", "I want you to ")
POLITE_ZH = ("请", "请", "帮我", "请帮我", "麻烦")
DETAILED_EN = (
    ", keep everything else the same", " and leave the rest unchanged", " but do not change anything else",
    ", keeping the composition as it is",
)  # fmt: skip
DETAILED_ZH = ("，其他保持不变", "，不要改变其他内容", "，其余部分不变", "，保持构图不变")
USUAL_NAME = 0.8
"""How often the first of several names is taken."""


def phrase_keys() -> tuple[str, ...]:
    """Return what can be worded: a task's key, with a variant behind it where the task has several."""
    return tuple(_phrases())


def phrase(
    key: str,
    *,
    language: Language,
    rng: np.random.Generator,
    subject: ObjectClass | None = None,
    other: ObjectClass | None = None,
    colour: Colour | None = None,
    place: Place | None = None,
) -> str:
    """Word one edit.

    Args:
        key: One of :func:`phrase_keys`.
        language: Language of the instruction.
        rng: Chooses the phrasing.
        subject: The object that is edited.
        other: The object that comes instead, for a replacement.
        colour: The colour asked for.
        place: Where the object is, or is to be.

    Raises:
        KeyError: The key is unknown, or its phrasing needs a word that was not given.
    """
    entry = _phrases()[key]
    casual = entry.get(f"casual_{language}")
    if casual and rng.random() < CASUAL:
        text = _one(casual, rng)
    else:
        text = _one(entry[language], rng)
        if rng.random() < POLITE:
            text = _one(POLITE_EN if language == "en" else POLITE_ZH, rng) + text
        if rng.random() < DETAILED:
            text += _one(DETAILED_EN if language == "en" else DETAILED_ZH, rng)
    words = _object_words("object", subject, language, rng) | _object_words("other", other, language, rng)
    for name, word in (("colour", colour), ("place", place)):
        if word is not None:
            words[name] = _usual(word.en if language == "en" else word.zh, rng)
    return _finished(text.format_map(words), language, rng)


@cache
def _phrases() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))


def _one(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _usual(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[0] if rng.random() < USUAL_NAME else _one(choices, rng)


def _object_words(slot: str, one: ObjectClass | None, language: Language, rng: np.random.Generator) -> dict[str, str]:
    if one is None:
        return {}
    if language == "zh":
        name = _usual(one.zh_names, rng)
        return {slot: name, f"an_{slot}": f"一{one.measure}{name}"}
    name = _usual(one.names, rng)
    return {slot: name, f"an_{slot}": f"{one.article if name == one.name else 'a'} {name}"}


def _finished(text: str, language: Language, rng: np.random.Generator) -> str:
    if language == "zh":
        return text + "。" if rng.random() < STOP else text
    question = text.startswith(("can you", "could you"))
    text = re.sub(r"\ba (?=[aeiou])", "an ", text)
    if rng.random() < CAPITAL:
        text = text[0].upper() + text[1:]
    if rng.random() < STOP:
        text += "?" if question else "."
    return text
