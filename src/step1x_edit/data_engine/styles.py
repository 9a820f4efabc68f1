"""The styles a picture can be redrawn in (``styles.toml``), by their English and Chinese names."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Style", "styles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A style people name."""

    name: str
    en: tuple[str, ...]
    """What stands before the word "style", the usual one first: "pencil sketch"."""
    zh: tuple[str, ...]
    """What stands before 风格."""
    painted: str = ""
    """Built-in style of the expert ``stylise`` that paints it; "" where :data:`~step1x_edit.data_engine.styling.DRAWN` does."""


@cache
def styles() -> dict[str, Style]:
    """Read the styles, keyed by their first English name."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {
        name: Style(
            name=name, en=(name, *entry.get("also", ())), zh=tuple(entry["zh"]), painted=entry.get("painted", "")
        )
        for name, entry in table.items()
    }
