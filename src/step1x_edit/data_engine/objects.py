"""The object classes and how they are called in English and Chinese.

``objects.toml`` holds those of the training world, ``seen_objects.toml`` those that photographs may show besides.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["ObjectClass", "object_class", "object_classes", "seen_classes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectClass:
    """What can be seen and named."""

    name: str
    """English name, also the key of the class."""
    zh: str
    """Chinese name."""
    measure: str
    """Chinese measure word."""
    article: str = "a"
    """What stands before the name when it is new: "a" (also for "an"), "some"."""
    also: tuple[str, ...] = ()
    """Other English names."""
    also_zh: tuple[str, ...] = ()
    """Other Chinese names."""
    recolour: bool = True
    """Whether its colour may be changed believably."""
    floats: bool = False
    """Whether it stays in the air and therefore throws no contact shadow."""
    stamps: tuple[str, ...] = ()
    """Its pictures among the stamps, below their folder, without suffix."""
    emoji: tuple[str, ...] = ()
    """Its pictures among the emoji, as code points."""

    @property
    def names(self) -> tuple[str, ...]:
        """All English names, the usual one first."""
        return (self.name, *self.also)

    @property
    def zh_names(self) -> tuple[str, ...]:
        """All Chinese names, the usual one first."""
        return (self.zh, *self.also_zh)


@cache
def object_classes() -> dict[str, ObjectClass]:
    """Read the classes from ``objects.toml``, keyed by English name."""
    return _read("objects.toml")


@cache
def seen_classes() -> dict[str, ObjectClass]:
    """Read all classes that a photograph's subject may have: ours, then those of ``seen_objects.toml``."""
    return {**object_classes(), **_read("seen_objects.toml")}


def object_class(name: str, zh: str | None = None) -> ObjectClass:
    """Return a class by its English name; for a name that is in no table, a class that knows only its names."""
    return seen_classes().get(name) or ObjectClass(name=name, zh=zh or name, measure="个")


def _read(file: str) -> dict[str, ObjectClass]:
    table = tomllib.loads(Path(__file__).with_name(file).read_text(encoding="utf-8"))
    return {name: _object_class(name, entry) for name, entry in table.items()}


def _object_class(name: str, entry: dict[str, str | bool | list[str]]) -> ObjectClass:
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return ObjectClass(name=name, **fields)  # pyright: ignore[reportArgumentType]
