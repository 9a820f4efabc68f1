"""The releases, read from ``releases/*.toml`` and the prompt constants in ``prompts.json``."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from importlib.resources import files

from step1x_edit.errors import MissingRelease
from step1x_edit.schema.release import Release

__all__ = ["find_release", "release_ids", "releases"]

_ORDER = ("nano", "v1.2", "v1.2-preview", "v1.1", "v1.0")


@cache
def releases() -> tuple[Release, ...]:
    """Return every release, the embedded one first, then the newest."""
    return tuple(_read(release_id) for release_id in _ORDER)


def release_ids() -> tuple[str, ...]:
    """Return the ids a user may give, in the order of :func:`releases`."""
    return _ORDER


def find_release(release_id: str) -> Release:
    """Return the release of this id.

    Raises:
        MissingRelease: No release has this id.
    """
    for release in releases():
        if release.id == release_id:
            return release
    raise MissingRelease(
        given=f"the release {release_id!r}",
        expected=f"one of {', '.join(_ORDER)}",
        remedy="Run `step1x releases` to see what each of them is.",
    )


def _read(release_id: str) -> Release:
    folder = files("step1x_edit.presets")
    table = tomllib.loads((folder / "releases" / f"{release_id}.toml").read_text(encoding="utf-8"))
    constants = _prompt_constants()
    conventions = table["conventions"]
    for name in ("chat_head", "prefix", "negative_prompt"):
        if name in conventions:
            conventions[name] = constants[conventions[name]]
    return Release.model_validate(table)


@cache
def _prompt_constants() -> dict[str, str]:
    text = (files("step1x_edit.presets") / "prompts.json").read_text(encoding="utf-8")
    return json.loads(text)["constants"]
