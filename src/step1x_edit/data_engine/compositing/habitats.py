"""Where objects belong and what photographs offer them: tables ``habitats.toml`` and ``grounds.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from step1x_edit.data_engine.pool import Picture

__all__ = ["Habitat", "KnownScene", "Surface", "habitats", "is_fit", "known_scenes"]

Surface = Literal["land", "table", "sky", "water"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habitat:
    """A kind of object, and where in photographs it is believed."""

    name: str
    on: Surface
    sides: tuple[float, float]
    """Long side as a fraction of the picture's side, for the nearest place in a picture."""
    near: float = 1.0
    """Share of the ground, from its near end, on which they are put."""
    objects: frozenset[str]
    """English names of its classes."""
    seen: frozenset[str] = frozenset()
    """Names of what photographs show of the same kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownScene:
    """What is known of one photograph."""

    scenery: str = ""
    """Name in ``sceneries.toml``; "" where it has none."""
    surface: Surface | None = None
    box: tuple[float, float, float, float] = (0, 0, 0, 0)
    """Where feet may be, or in sky and water the middle: left, top, right, bottom in fractions."""


@cache
def habitats() -> tuple[Habitat, ...]:
    """Read the habitats."""
    return tuple(
        Habitat(
            **{
                **entry,
                "sides": tuple(entry["sides"]),
                "objects": frozenset(entry["objects"]),
                "seen": frozenset(entry.get("seen", ())),
            }
        )
        for entry in _table("habitats.toml")["habitat"]
    )


@cache
def known_scenes() -> dict[str, KnownScene]:
    """Read the photographs that were looked at, keyed by picture id."""
    return {
        key: KnownScene(
            scenery=entry.get("scenery", ""), surface=entry.get("surface"), box=tuple(entry.get("box", (0, 0, 0, 0)))
        )
        for key, entry in _table("grounds.toml").items()
    }


def is_fit(cutout: Picture) -> bool:
    """Tell whether a cut-out or subject is a photograph and does as what its class says."""
    unfit = _table("habitats.toml")["unfit"]
    return cutout.dataset not in unfit["datasets"] and not cutout.uri.endswith(tuple(unfit["files"]))


@cache
def _table(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
