"""Quoted text is spelt letter by letter, so that the transformer can draw it. Two published ways, and none."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Piece", "flagged_pieces", "straighten_quotes", "wrapped_pieces"]

_SPECIAL_TOKEN = re.compile(r"(<\|[^|]*\|>)")
_CLOSING = {'"': '"', "“": "”"}
_BALANCED_APOSTROPHES = re.compile(r"(?<![A-Za-z0-9])'(?=\S)([^'\"]*?)(?<=\S)'(?![A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that is tokenised on its own."""

    text: str
    quoted: bool = False
    """Whether this is one character of quoted text."""


def straighten_quotes(text: str, *, released: bool) -> str:
    """Turn curly quotes, and apostrophes that act as quotes, into straight double quotes (v1.0, v1.1).

    Args:
        text: Text after the guard.
        released: As the released code does it: every apostrophe becomes a quote, so "girl's" opens one. Otherwise an
            apostrophe counts only where a pair of them encloses a span.
    """
    text = text.replace("“", '"').replace("”", '"')
    if released:
        return text.replace("'", '"')
    return _BALANCED_APOSTROPHES.sub(r'"\1"', text)


def wrapped_pieces(text: str, *, released: bool, guard: int = -1) -> list[Piece]:
    """Split a text for v1.0 and v1.1: inside quotes every character is a piece of its own, written ``“c”``.

    A quote character stays with the piece outside the quotes, on both sides.

    Args:
        text: Rendered text.
        released: Reproduce the released treatment of apostrophes and of an odd number of quotes: the last opening quote
            reaches to the end of the text, chat tail included. Otherwise an unpaired quote is ordinary text.
        guard: Index up to which quote characters do not count.

    Source:
        ``split_string`` of the released conditioner.
    """
    text = straighten_quotes(text, released=released)
    quotes = [index for index, character in enumerate(text) if character == '"' and index > guard]
    if len(quotes) % 2:
        quotes = [*quotes, len(text)] if released else quotes[:-1]
    pieces, outside = [], 0
    for opening, closing in zip(quotes[::2], quotes[1::2], strict=True):
        pieces.append(Piece(text[outside : opening + 1]))
        pieces.extend(Piece(f"“{character}”", quoted=True) for character in text[opening + 1 : closing])
        outside = closing
    return [*pieces, Piece(text[outside:])] if outside < len(text) else pieces


def flagged_pieces(text: str, *, guard: int = 0) -> list[Piece]:
    """Split a text for v1.2: special tokens apart, and inside ``"…"`` or ``“…”`` every character, unwrapped and flagged.

    Quotes of one kind are content inside the other; an unclosed quote is ordinary text.

    Args:
        text: Rendered text.
        guard: Index before which quote characters do not count.

    Source:
        Released v1.2 pipeline.
    """
    pieces: list[Piece] = []
    start = 0
    for segment in _SPECIAL_TOKEN.split(text):
        if _SPECIAL_TOKEN.fullmatch(segment):
            pieces.append(Piece(segment))
        elif segment:
            pieces.extend(_flag_segment(segment, guard=guard - start))
        start += len(segment)
    return pieces


def _flag_segment(text: str, *, guard: int) -> list[Piece]:
    pieces, outside, index = [], 0, max(0, guard)
    while index < len(text):
        closing = text.find(_CLOSING[text[index]], index + 1) if text[index] in _CLOSING else -1
        if closing < 0:
            index += 1
            continue
        pieces.append(Piece(text[outside : index + 1]))
        pieces.extend(Piece(character, quoted=True) for character in text[index + 1 : closing])
        outside, index = closing, closing + 1
    return [*pieces, Piece(text[outside:])]
