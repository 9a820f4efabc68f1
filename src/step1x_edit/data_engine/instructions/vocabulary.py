"""The two languages, and words with a fixed meaning in them: colours and places (``vocabulary.toml``)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

__all__ = ["Colour", "Language", "Place", "colours", "places"]

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """A colour people name."""

    name: str
    en: tuple[str, ...]
    zh: tuple[str, ...]
    rgb: tuple[int, int, int]
    """The plain background of this name, sRGB 0..255."""
    recolour: bool
    """Whether objects are given this colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A part of the picture, by the range in which the middle of an object lies there."""

    name: str
    en: tuple[str, ...]
    """What follows the object's name: "on the left"."""
    zh: tuple[str, ...]
    x: tuple[float, float]
    """Range of the middle across, as a fraction of the width from the left edge."""
    y: tuple[float, float]
    """Range of the middle down, as a fraction of the height from the top edge."""


@cache
def colours() -> dict[str, Colour]:
    """Read the colours, keyed by their first English name."""
    return {
        name: Colour(
            name=name,
            en=(name, *entry.get("also", ())),
            zh=tuple(entry["zh"]),
            rgb=tuple(entry["rgb"]),
            recolour=entry.get("recolour", True),
        )
        for name, entry in _table()["colour"].items()
    }


@cache
def places() -> dict[str, Place]:
    """Read the places, keyed by name ("top left")."""
    return {
        name: Place(name=name, **{key: tuple(value) for key, value in entry.items()})
        for name, entry in _table()["place"].items()
    }


def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("vocabulary.toml").read_text(encoding="utf-8"))
