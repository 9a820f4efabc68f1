"""Puts a wish into words: English or Chinese, detailed, concise, or as a user types; no model needed.

The report writes every instruction in both languages and in the wanted voice by showing a model examples (section 3.1).
Here a grammar does it (``grammar.py``; rules in ``english.toml``, ``chinese.toml`` and their ``*_looks.toml``), so that a
text says what the wish holds, all of it and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import get_args

import numpy as np

from step1x_edit.data_engine.instructions.grammar import said
from step1x_edit.data_engine.instructions.tables import phrase_from
from step1x_edit.data_engine.instructions.vocabulary import Language
from step1x_edit.data_engine.instructions.words import chinese_words, english_words, with_article
from step1x_edit.data_engine.wish import Wish
from step1x_edit.errors import DataError
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import InstructionVariant, Voice

__all__ = ["LENGTHS", "MAIN_VOICES", "Instructions", "instructions", "length", "variants", "word"]

MAIN_VOICES: dict[Voice, float] = {"concise": 0.4, "user": 0.41, "detailed": 0.19}
"""How often each voice is the main wording; short voices prevail as in GEdit-Bench, whose mean is 7.6 words."""
LENGTHS: dict[Language, dict[Voice, tuple[int, int]]] = {
    "en": {"concise": (3, 6), "detailed": (10, 18), "user": (2, 14)},
    "zh": {"concise": (3, 12), "detailed": (14, 40), "user": (3, 24)},
}
"""Fewest and most words, in Chinese characters, of a wording; long names may pass the upper bound."""
TRIES = 16
"""Wordings drawn until one keeps to its length; then the one nearest to it is taken."""
CAPITAL: dict[Voice, float] = {"concise": 0.6, "detailed": 0.92, "user": 0.12}
STOP: dict[Voice, float] = {"concise": 0.25, "detailed": 0.85, "user": 0.06}
QUESTION_MARK: dict[Voice, float] = {"concise": 1.0, "detailed": 1.0, "user": 0.45}
BRITISH, APOSTROPHE_LOST, COMMA_LOST = 0.25, 0.35, 0.4
"""How often English is British, how often a user leaves out the apostrophe of "don't", or types a space for a comma."""
_SPELLING = {"color": "colour", "gray": "grey", "center": "centre", "modeling": "modelling"}
_SAID_TWICE = re.compile(r"(\b(?:please|pls|plz)\b.*?)(?: for me)?,? (?:please|pls|plz)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """A wish in words: one main wording a language, and all voices."""

    en: str
    cn: str
    variants: tuple[InstructionVariant, ...]


def instructions(wish: Wish, rng: np.random.Generator) -> Instructions:
    """Word a wish in every voice and language, and choose the main wordings, short voices first."""
    every = variants(wish, rng)
    voice = _main_voice(rng)
    main = {one.language: one.text for one in every if one.voice == voice}
    return Instructions(en=main["en"], cn=main["zh"], variants=every)


def variants(wish: Wish, rng: np.random.Generator) -> tuple[InstructionVariant, ...]:
    """Word a wish in all three voices, in English and in Chinese."""
    return tuple(
        InstructionVariant(language=language, voice=voice, text=word(wish, language=language, voice=voice, rng=rng))
        for language in get_args(Language)
        for voice in get_args(Voice)
    )


def word(wish: Wish, *, language: Language, rng: np.random.Generator, voice: Voice | None = None) -> str:
    """Put a wish into words.

    Args:
        wish: What is asked for. All it holds is said.
        language: Language of the instruction.
        rng: Chooses the wording; the same state gives the same one.
        voice: How it is said; drawn by :data:`MAIN_VOICES` when left out.

    Raises:
        DataError: No wording fits what the wish holds, or nobody wrote one for its key.
    """
    voice = voice or _main_voice(rng)
    best, best_miss = "", float("inf")
    for _ in range(TRIES):
        text = _drawn(wish, language, voice, rng)
        miss = _miss(length(text, language), LENGTHS[language][voice])
        if miss < best_miss:
            best, best_miss = text, miss
        if miss == 0:
            break
    finish = _finished_english if language == "en" else _finished_chinese
    return finish(best, voice, rng)


def length(text: str, language: Language) -> int:
    """Return how long a text is: words in English, characters without punctuation in Chinese."""
    return len(text.split()) if language == "en" else len(re.findall(r"[\w&]", text))


def _main_voice(rng: np.random.Generator) -> Voice:
    total = np.cumsum(list(MAIN_VOICES.values()))
    return list(MAIN_VOICES)[int(np.searchsorted(total, rng.random() * total[-1], side="right"))]


def _miss(count: int, span: tuple[int, int]) -> int:
    return max(span[0] - count, count - span[1], 0)


def _drawn(wish: Wish, language: Language, voice: Voice, rng: np.random.Generator) -> str:
    choose = english_words if language == "en" else chinese_words
    words = choose(wish, rng)
    names = ("shared", voice, *_edit_tables(wish))
    for symbol in ("photo", "the_photo", "front"):  # said the same way throughout a text
        name = phrase_from(language, names, symbol, frozenset(words))
        words |= {} if name is None else {symbol: said(name, words, rng)}
    phrase = phrase_from(language, names, "text", frozenset(words))
    if phrase is None:
        raise DataError(
            given=f"the wish {wish.key!r} with {', '.join(sorted(words)) or 'no words'}",
            expected="what its wordings name, and a key they are written for",
            remedy="Fill the wish's subject, other, colour, place, material, style or scenery; or write rules for it in"
            " data_engine/instructions.",
        )
    return said(phrase, words, rng)


def _edit_tables(wish: Wish) -> tuple[str, ...]:
    """Return the names of the rule tables of a wish, the general one first."""
    task = next((task for task in EditTask if f"{wish.key}-".startswith(f"{task.value}-")), None)
    if task is None:
        return (wish.key,)
    if task is EditTask.TONE_TRANSFORMATION:
        return task.value, wish.key.removeprefix(f"{task.value}-").replace("-", " ")
    names = [task.value]
    if task is EditTask.SUBJECT_ADDITION and wish.place is not None:
        names.append(f"{task.value}-placed")
    if task is EditTask.BACKGROUND_CHANGE:
        scene = "-scene" if wish.scenery is not None else ""
        names += [f"{task.value}{scene}", f"{task.value}{scene}-named"][: 1 if wish.subject is None else 2]
    return tuple(names)


def _finished_english(text: str, voice: Voice, rng: np.random.Generator) -> str:
    text = re.sub(r"\b[Aa] (?=(\w+))", lambda found: with_article(found[1])[: -len(found[1])], text)
    text = _SAID_TWICE.sub(r"\1", text)
    british = rng.random() < BRITISH
    for american, other in _SPELLING.items():
        text = re.sub(*((american, other) if british else (other, american)), text)
    if voice == "user" and rng.random() < APOSTROPHE_LOST:
        text = text.replace("on't", "ont").replace("et's", "ets")
    if rng.random() < CAPITAL[voice]:
        text = re.sub(r"(?:^|[.?] )[a-z]", lambda found: found[0].upper(), text)
    elif voice == "user":
        text = text.lower().replace("b&w", "B&W")
    return _closed(text, "?", ".", voice, rng)


def _finished_chinese(text: str, voice: Voice, rng: np.random.Generator) -> str:
    if voice == "user" and rng.random() < COMMA_LOST:
        text = text.replace("，", " ")
    return _closed(text, "？", "。", voice, rng)


def _closed(text: str, question: str, stop: str, voice: Voice, rng: np.random.Generator) -> str:
    chance = rng.random()
    if text.endswith(question):
        return text if chance < QUESTION_MARK[voice] else text[:-1]
    return text + stop if chance < STOP[voice] else text
