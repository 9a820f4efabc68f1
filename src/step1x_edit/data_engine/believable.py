"""Which colours of a thing are believed (``believable.toml``): a car may be any, a horse may not be turquoise."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from step1x_edit.data_engine.instructions import Colour, colours
from step1x_edit.data_engine.objects import ObjectClass

__all__ = ["believable_colours", "paintable_colours"]


def paintable_colours(what: ObjectClass) -> list[Colour]:
    """Return the colours an object of a class may be given where anything goes; none for what has no one colour."""
    return [one for one in colours().values() if one.recolour] if what.recolour else []


def believable_colours(what: ObjectClass) -> list[Colour]:
    """Return those of them in which a photograph of it is believed."""
    able = _groups().get(what.name)
    return [one for one in paintable_colours(what) if able is None or one.name in able]


@cache
def _groups() -> dict[str, frozenset[str]]:
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {name: frozenset(group["colours"]) for group in table["group"] for name in group["objects"]}
