"""The mixture (``mixture.toml``): how often each look and each number of objects comes up."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from step1x_edit.schema.tasks import EditTask

__all__ = ["Mixture", "draw", "mixture"]

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Relative weights."""

    tones: dict[str, float]
    """Looks of tone transformation on any stage."""
    more_tones: dict[str, float]
    """Looks that stages with photographic scenes have besides."""
    objects: dict[EditTask, tuple[float, ...]]
    """By task: weights of one, two, three objects in a scene."""

    def object_count(self, task: EditTask, rng: np.random.Generator) -> int:
        """Draw how many objects a scene of this task has."""
        return draw(dict(enumerate(self.objects[task], start=1)), rng)


@cache
def mixture() -> Mixture:
    """Read the mixture."""
    table = tomllib.loads(Path(__file__).with_name("mixture.toml").read_text(encoding="utf-8"))
    return Mixture(
        tones=table["tones"],
        more_tones=table["more_tones"],
        objects={EditTask(key): tuple(weights) for key, weights in table["objects"].items()},
    )


def draw(weights: dict[Key, float], rng: np.random.Generator) -> Key:
    """Draw one key by its relative weight."""
    total = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(total, rng.random() * total[-1], side="right"))]
