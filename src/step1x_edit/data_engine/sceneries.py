"""The places a subject can be put before (``sceneries.toml``), by their English and Chinese names."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Scenery", "sceneries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenery:
    """A background people name."""

    name: str
    """English name, also its key: "beach"."""
    en: tuple[str, ...]
    """With its article, as what a background becomes, the usual one first: "a beach"."""
    at_en: tuple[str, ...]
    """Said of a subject that is there: "on a beach"."""
    zh: tuple[str, ...]
    """As what a background becomes: 海滩."""
    at_zh: tuple[str, ...]
    """Said of a subject that is there, after 在: 海滩上."""


@cache
def sceneries() -> dict[str, Scenery]:
    """Read the sceneries, keyed by English name."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {
        name: Scenery(name=name, **{field: tuple(words) for field, words in entry.items()})
        for name, entry in table.items()
    }
