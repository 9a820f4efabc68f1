"""The materials an object can take (``materials.toml``), by their English and Chinese names."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Material", "materials"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A material people name."""

    name: str
    en: tuple[str, ...]
    """As a noun, the usual word first: "gold", "solid gold"."""
    zh: tuple[str, ...]


@cache
def materials() -> dict[str, Material]:
    """Read the materials, keyed by their first English name."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {
        name: Material(name=name, en=(name, *entry.get("also", ())), zh=tuple(entry["zh"]))
        for name, entry in table.items()
    }
