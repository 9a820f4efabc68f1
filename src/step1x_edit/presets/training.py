"""Named settings of training, read from ``training/*.toml``: each says its source, memory, time and what it gave."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from step1x_edit.errors import RequestError

__all__ = ["TrainingPreset", "find_training_preset", "training_presets"]


class TrainingPreset(BaseModel):
    """One file of ``training/``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    """What it is for, in one line."""
    method: Literal["lora", "full"]
    source: str
    """Where the values come from."""
    card_gb: float | None = None
    """Memory of the card it is meant for, in GB of 10^9 bytes; ``None`` where a processor does."""
    memory: str
    """What it takes, and how that is known."""
    time: str
    gave: str
    """What a run with it gave, or that none was made."""
    settings: dict[str, dict[str, Any]]
    """Sections of the config, below a file's own values."""


@cache
def training_presets() -> dict[str, TrainingPreset]:
    """Return the presets by name, from the smallest card to the largest."""
    folder = files("step1x_edit.presets") / "training"
    read = {
        entry.name.removesuffix(".toml"): TrainingPreset.model_validate(tomllib.loads(entry.read_text("utf-8")))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    }
    return dict(sorted(read.items(), key=lambda item: (item[1].card_gb or 0, item[0])))


def find_training_preset(name: str) -> TrainingPreset:
    """Return the preset of this name.

    Raises:
        RequestError: There is none.
    """
    presets = training_presets()
    if name not in presets:
        raise RequestError(
            given=f"the training preset {name!r}",
            expected=f"one of {', '.join(presets)}",
            remedy="Run `step1x train presets` to see what each of them is.",
        )
    return presets[name]
