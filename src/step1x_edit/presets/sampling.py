"""How many steps to spend where a request leaves it open, read from ``sampling.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import get_args

from pydantic import BaseModel, ConfigDict, PositiveInt, TypeAdapter

from step1x_edit.schema.edit import EditRequest, Preset
from step1x_edit.schema.release import Release, ReleaseDefaults

__all__ = ["SamplingPreset", "resolve_sampling", "sampling_presets"]


class SamplingPreset(BaseModel):
    """One position of the dial."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cost: str
    """What it costs in time, beside ``balanced``."""

    steps: dict[str, PositiveInt]
    """Release id → denoising steps; a release that is not listed uses its own recommendation."""


@cache
def sampling_presets() -> dict[Preset, SamplingPreset]:
    """Return the positions of the dial by name."""
    text = (files("step1x_edit.presets") / "sampling.toml").read_text(encoding="utf-8")
    presets = TypeAdapter(dict[Preset, SamplingPreset]).validate_python(tomllib.loads(text))
    assert set(presets) == set(get_args(Preset)), "sampling.toml describes each preset once"
    return presets


def resolve_sampling(request: EditRequest, release: Release) -> ReleaseDefaults:
    """Fill in steps, guidance scale and size level where the request leaves them open.

    Returns:
        The three settings; ``size_level`` is of no meaning where the request states width and height.
    """
    steps = sampling_presets()[request.preset].steps.get(release.id, release.defaults.steps)
    return ReleaseDefaults(
        steps=steps if request.steps is None else request.steps,
        guidance_scale=release.defaults.guidance_scale if request.guidance_scale is None else request.guidance_scale,
        size_level=release.defaults.size_level if request.size_level is None else request.size_level,
    )
