"""A run's TOML file → a checked :class:`TrainingConfig`; what is wrong is said in one sentence."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from step1x_edit.errors import RequestError
from step1x_edit.presets.releases import find_release
from step1x_edit.presets.training import find_training_preset
from step1x_edit.training.config import DataConfig, Method, ModelConfig, SourceConfig, TrainingConfig

__all__ = ["is_run_config", "read_config", "read_sources"]

_LENGTHS = ("steps", "epochs", "minutes")
_PATHS = (("model", "weights"), ("data", "cache"))
"""Keys that hold a path, besides those of sources and cases."""
_REMEDY = "Correct it; `step1x train init` writes a config with every key explained."


def read_config(path: Path, *, method: Method, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a run's file, lay it over its preset, and check every value.

    Args:
        path: The TOML file. Paths inside it are relative to its folder.
        method: What is to be trained; the preset must be made for it.
        overrides: ``section.key=value`` pairs, which go above the file; a value is TOML, or a plain word.

    Raises:
        RequestError: The file is missing or no TOML, a key is unknown, or a value cannot be used.
    """
    table = _merged(_at_folder(_read_toml(path), path.parent), _override_table(overrides))
    preset = table.get("preset")
    if preset is not None:
        table = _merged(_preset_settings(str(preset), method, path, table), table)
    try:
        config = TrainingConfig.model_validate(table)
    except ValidationError as error:
        raise _complaint(error, path) from error
    _check_sense(config, method, path)
    return config


def is_run_config(path: Path) -> bool:
    """Whether a file is a run's config rather than the official trainer's TOML."""
    return path.suffix.lower() == ".toml" and path.is_file() and "data" in _read_toml(path)


def read_sources(path: Path) -> tuple[tuple[SourceConfig, ...], int]:
    """Read only where a run's pairs come from, and the size level they are trained at.

    Raises:
        RequestError: As :func:`read_config`, as far as the section ``data`` goes.
        MissingRelease: The config names a release that does not exist.
    """
    table = _at_folder(_read_toml(path), path.parent)
    try:
        data = DataConfig.model_validate(table["data"])
    except ValidationError as error:
        raise _complaint(error, path) from error
    release = str((table.get("model") or {}).get("release", ModelConfig().release))
    return data.sources, data.size_level or find_release(release).defaults.size_level


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(
            given=f"the config {path}, which cannot be read ({error.strerror})",
            expected="a TOML file",
            remedy="Check the path, or let `step1x train init` write one to start from.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(
            given=f"the config {path}, which is no valid TOML: {error}",
            expected='lines such as `rank = 16` or `name = "adamw"` under [sections]',
            remedy="Correct the line that is named.",
        ) from error


def _override_table(overrides: Sequence[str]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for text in overrides:
        name, equals, value = text.partition("=")
        keys = name.strip().split(".")
        if not equals or not all(keys):
            raise RequestError(
                given=f"--set {text}",
                expected="section.key=value, such as run.steps=100",
                remedy="Write it without spaces, or in quotes.",
            )
        place = table
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = _toml_value(value.strip())
    return table


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one nested table over another; lists and plain values of the upper one replace."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            value = _merged(under, value)
        result[key] = value
    return result


def _preset_settings(name: str, method: Method, path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    preset = find_training_preset(name)
    if preset.method != method:
        raise RequestError(
            given=f'{path}: preset = "{name}", which is made for `step1x train {preset.method}`',
            expected=f"a preset of `step1x train {method}`",
            remedy="Run `step1x train presets` to see what there is.",
        )
    settings = {section: dict(values) for section, values in preset.settings.items()}
    run = table.get("run")
    if isinstance(run, Mapping) and any(key in run for key in _LENGTHS):
        settings["run"] = {key: value for key, value in settings.get("run", {}).items() if key not in _LENGTHS}
    return settings


def _at_folder(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the paths of a config relative to its own folder; names of data sets, which are no files there, stay."""
    for section, key in _PATHS:
        place = table.get(section)
        if isinstance(place, dict) and isinstance(place.get(key), str):
            place[key] = str(folder / place[key])
    for source in _records(table, "data", "sources"):
        if isinstance(source.get("path"), str) and source.get("kind") != "dataset":
            placed = folder / source["path"]
            source["path"] = str(placed) if placed.exists() or source.get("kind") else source["path"]
    for case in _records(table, "validation", "cases"):
        if isinstance(case.get("image"), str):
            case["image"] = str(folder / case["image"])
    return table


def _records(table: Mapping[str, Any], section: str, key: str) -> Iterator[dict[str, Any]]:
    place = table.get(section)
    found = place.get(key) if isinstance(place, Mapping) else None
    yield from (record for record in (found if isinstance(found, list) else ()) if isinstance(record, dict))


def _complaint(error: ValidationError, path: Path) -> RequestError:
    complaints = error.errors()
    first = complaints[0]
    names = [str(part) for part in first["loc"]]
    key = ".".join(names)
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"][:-1])
        near = difflib.get_close_matches(names[-1], known, n=1, cutoff=0.5)
        given = f"the unknown key {key}"
        expected = (
            f"{'.'.join([*names[:-1], near[0]])}, the nearest key there is" if near else f"one of {', '.join(known)}"
        )
    elif first["type"] == "missing":
        given, expected = f"no {key}", "it to be stated"
    else:
        given = f"{key} = {_brief(first['input'])}"
        expected = first["msg"].replace("Input should be", "a value that is")
    more = f" ({len(complaints) - 1} more after this one)" if len(complaints) > 1 else ""
    return RequestError(given=f"{path}: {given}{more}", expected=expected, remedy=_REMEDY)


def _known_keys(place: Sequence[int | str]) -> list[str]:
    """Return the keys of the section at this place of the config."""
    model: type[BaseModel] = TrainingConfig
    for name in place:
        if isinstance(name, str):
            annotation: Any = model.model_fields[name].annotation
            sections = [one for one in (annotation, *get_args(annotation)) if hasattr(one, "model_fields")]
            model = sections[0] if sections else model
    return list(model.model_fields)


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check_sense(config: TrainingConfig, method: Method, path: Path) -> None:
    """Refuse what no single value shows to be wrong."""
    for given, expected in _nonsense(config, method):
        raise RequestError(given=f"{path}: {given}", expected=expected, remedy=_REMEDY)
    for case in config.validation.cases:
        if not case.image.is_file():
            raise RequestError(
                given=f"{path}: the validation picture {case.image}, which is not there",
                expected="a picture file",
                remedy="Correct validation.cases; paths are relative to the config's folder.",
            )


def _nonsense(config: TrainingConfig, method: Method) -> Iterator[tuple[str, str]]:
    release, model = find_release(config.model.release), config.model
    stated = [name for name in _LENGTHS if getattr(config.run, name) is not None]
    if len(stated) != 1:
        given = " and ".join(f"run.{name}" for name in stated) or "no length of the run"
        yield given, "exactly one of run.steps, run.epochs, run.minutes"
    if not config.data.sources:
        yield "data.sources = []", "at least one place that pairs come from"
    if not model.train:
        yield "model.train = []", "at least one of transformer, connector, text_encoder"
    if method == "full" and model.base not in ("bf16", "fp32"):
        yield f'model.base = "{model.base}" for full training', "bf16 or fp32: only frozen weights can be quantised"
    if method == "full" and "text_encoder" in model.train:
        yield (
            "model.train with text_encoder for full training",
            "transformer, connector, or adapters on the text_encoder",
        )
    if config.objective.text_to_image_share and not release.text_to_image:
        yield f"objective.text_to_image_share for release {release.id}", "0: this release only edits"
