"""The grammar's tables, read once: ``english.toml``, ``chinese.toml`` and their ``*_looks.toml``."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from step1x_edit.data_engine.instructions.grammar import Phrase, Rules, compiled
from step1x_edit.data_engine.instructions.vocabulary import Language

__all__ = ["phrase_from", "said_forms", "tables"]

_FILES: dict[Language, str] = {"en": "english", "zh": "chinese"}


@cache
def tables(language: Language) -> dict[str, Rules]:
    """Return every table of a language by its own name: voices, edits, looks, "shared", "places", "works" ..."""
    grammar = _read(f"{_FILES[language]}.toml")
    return {**grammar.pop("voices"), **grammar.pop("edits"), **grammar, **_read(f"{_FILES[language]}_looks.toml")}


@cache
def phrase_from(language: Language, names: tuple[str, ...], symbol: str, slots: frozenset[str]) -> Phrase | None:
    """Return what a symbol says where some tables hold, each over the ones before it.

    Returns:
        The phrase, or ``None`` when a table is not there, or nothing can be said with these slots.
    """
    known = tables(language)
    if any(name not in known for name in names):
        return None
    return compiled(symbol, {key: rule for name in names for key, rule in known[name].items()}, slots)


def said_forms(name: str, language: Language) -> tuple[str, ...]:
    """Return the further forms the grammar gives a material or a style inside a sentence: "wooden", "a pencil sketch"."""
    known = tables(language)
    rules = [rule for table in ("works", "attributes") for rule in known.get(table, {}).get(name, ())]
    return tuple(re.sub(r" \*[\d.]+$", "", rule) for rule in rules)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
