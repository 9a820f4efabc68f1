"""A small grammar of phrases: rules in TOML, expanded by chance into one text.

Rules are written in four marks:

- ``(a|b|c)``: one of them; ``[x]``: x or nothing;
- ``{slot}``: a word that is given when a text is made;
- ``<symbol>``: another rule;
- `` *2`` at the end of an alternative: its weight, where 1 is usual.

An alternative that needs a slot nobody fills, or a symbol nobody wrote, is left out before the first word is drawn. So
one rule serves edits that say more and edits that say less, and a text never has a hole.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from step1x_edit.errors import DataError

__all__ = ["Phrase", "Rules", "compiled", "said"]

Rules = Mapping[str, Sequence[str]]
"""Alternatives by symbol."""
_TOKEN = re.compile(r"[()\[\]|]|\{[^{}]*\}|<[^<>]*>|[^()\[\]|{}<>]+")
_WEIGHT = re.compile(r" \*([\d.]+)$")
_LARGEST_DEPTH = 30
"""Symbols inside symbols; more means that a rule contains itself."""


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """A choice between sequences of words, slots and further choices."""

    options: tuple[tuple[str | _Slot | Phrase, ...], ...]
    reach: tuple[float, ...]
    """Summed weights; the last one is the total."""


def compiled(symbol: str, rules: Rules, slots: frozenset[str]) -> Phrase | None:
    """Read a rule with all it refers to, for texts that fill these slots.

    Returns:
        The phrase, or ``None`` when every way of saying it needs something that is not there.

    Raises:
        DataError: A rule does not close its brackets, or contains itself.
    """
    return _Reader(rules, slots).symbol(symbol, 0)


def said(phrase: Phrase, words: Mapping[str, str], rng: np.random.Generator) -> str:
    """Draw one text and put the words into its slots."""
    text: list[str] = []
    waiting: list[str | _Slot | Phrase] = [phrase]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            text.append(part)
        elif isinstance(part, _Slot):
            text.append(words[part.name])
        else:
            index = bisect_right(part.reach, rng.random() * part.reach[-1])
            waiting.extend(reversed(part.options[min(index, len(part.options) - 1)]))
    return "".join(text)


@dataclass(frozen=True, slots=True)
class _Reader:
    rules: Rules
    slots: frozenset[str]

    def symbol(self, symbol: str, depth: int) -> Phrase | None:
        if depth > _LARGEST_DEPTH:
            raise _broken(symbol, "rules that end", "Take the rule out of what it refers to.")
        return _choice([self._alternative(text, depth) for text in self.rules.get(symbol, ())])

    def _alternative(self, text: str, depth: int) -> tuple[Phrase | None, float]:
        weight = _WEIGHT.search(text)
        bare = text[: weight.start()] if weight else text
        return self._options(_TOKEN.findall(bare), "", depth), float(weight[1]) if weight else 1.0

    def _options(self, tokens: list[str], closing: str, depth: int) -> Phrase | None:
        """Read alternatives up to a closing bracket, taking their tokens off the list."""
        options: list[tuple[Phrase | None, float]] = []
        parts: list[str | _Slot | Phrase | None] = []
        token = ""
        while tokens and (token := tokens.pop(0)) != closing:
            if token == "|":
                options.append(_weighted(parts))
                parts = []
            elif token in ")]":
                raise _broken(token, "an opening bracket before it", "Correct the brackets.")
            else:
                parts.append(self._piece(token, tokens, depth))
        if token != closing and closing:
            raise _broken("".join(map(str, parts)), f"a {closing} at its end", "Correct the brackets.")
        options.append(_weighted(parts))
        if closing == "]":
            options.append((Phrase(((),), (1.0,)), 1.0))
        return _choice(options)

    def _piece(self, token: str, tokens: list[str], depth: int) -> str | _Slot | Phrase | None:
        if token in "([":
            return self._options(tokens, ")" if token == "(" else "]", depth)
        if token[0] == "{":
            return _Slot(token[1:-1]) if token[1:-1] in self.slots else None
        return self.symbol(token[1:-1], depth + 1) if token[0] == "<" else token


def _weighted(parts: list[str | _Slot | Phrase | None]) -> tuple[Phrase | None, float]:
    """Return a sequence, ``None`` where a part of it cannot be said, and its weight."""
    weight = 1.0
    if parts and isinstance(parts[-1], str) and (found := _WEIGHT.search(parts[-1])):
        parts, weight = [*parts[:-1], parts[-1][: found.start()]], float(found[1])
    kept = tuple(part for part in parts if part is not None)
    return (Phrase((kept,), (1.0,)) if len(kept) == len(parts) else None), weight


def _choice(weighted: Sequence[tuple[Phrase | None, float]]) -> Phrase | None:
    """Return the choice between the phrases that can be said."""
    options, reach, total = [], [], 0.0
    for phrase, weight in weighted:
        if phrase is not None:
            total += weight
            options.append(phrase.options[0] if len(phrase.options) == 1 else (phrase,))
            reach.append(total)
    return Phrase(tuple(options), tuple(reach)) if options else None


def _broken(rule: str, expected: str, remedy: str) -> DataError:
    return DataError(given=f"the grammar rule {rule!r}", expected=expected, remedy=remedy)
