"""The folder of a run: one writer, the settings it was begun with, and who worked on it since.

``config.toml`` holds the whole configuration, presets and defaults included, so it starts the same run elsewhere.
``run.json`` holds what must stay the same, hashes of weights and data, and for each start: when, where and with which versions.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from step1x_edit import __version__
from step1x_edit.errors import RequestError
from step1x_edit.store.shard import written_whole
from step1x_edit.training.config import Method, TrainingConfig
from step1x_edit.training.run.toml_text import toml_text

__all__ = ["CONFIG", "RECORD", "begin_run", "keep_hashes"]

CONFIG = "config.toml"
RECORD = "run.json"
PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "accelerate",
    "peft",
    "torchao",
    "bitsandbytes",
    "schedulefree",
    "numpy",
)
FREE = {
    "preset": True,
    "validation": True,
    "data": {"cache", "encode_batch"},
    "run": {"steps", "epochs", "minutes", "checkpoint_every", "keep", "threads"}
    | {"compile", "activation_checkpointing", "cheap_recomputation"},
}
"""Settings that may change between two starts of a run: how long, what is kept, and how, but not what, is computed."""


def begin_run(folder: Path, config: TrainingConfig, *, method: Method, device: str, processes: int) -> None:
    """Begin a run in a folder, or take up the one that is there.

    Args:
        folder: Of the run.
        config: The whole configuration.
        method: What is trained.
        device: Where it is computed.
        processes: How many.

    Raises:
        RequestError: The folder holds a run of other settings.
        DataError: The disk is full.
    """
    told = config.model_dump(mode="json", exclude=FREE)  # pyright: ignore[reportArgumentType] - nested as pydantic wants
    fixed = {"method": method, **told}
    record = _record(folder)
    _require_same(folder, record.get("fixed", fixed), fixed)
    starts = [*record.get("starts", ()), _start(device, processes)]
    _write(folder, {**record, "fixed": fixed, "starts": starts})
    with written_whole(folder / CONFIG) as part:
        part.write_text(toml_text(config.model_dump(mode="json", exclude_none=True)), encoding="utf-8")


def keep_hashes(folder: Path, hashes: Mapping[str, str]) -> None:
    """Keep what the weights and the data of a run are, or see that they are still the same.

    Args:
        folder: Of a run that was begun.
        hashes: By name.

    Raises:
        RequestError: They are others.
        DataError: The disk is full.
    """
    record = _record(folder)
    _require_same(folder, {"hashes": record.get("hashes", hashes)}, {"hashes": dict(hashes)})
    _write(folder, {**record, "hashes": dict(hashes)})


def _write(folder: Path, record: Mapping[str, Any]) -> None:
    with written_whole(folder / RECORD) as part:
        part.write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")


def _record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RequestError(
            given=f"{path}, which cannot be read ({error})",
            expected="the record of a run",
            remedy="Start in another folder.",
        ) from error


def _require_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    different = list(_different(before, now))
    if different:
        told = ", ".join(f"{name} was {_brief(old)} and is {_brief(new)}" for name, old, new in different[:3])
        raise RequestError(
            given=f"the folder {folder}, which holds another run: {told}",
            expected="the same settings, weights and data; only its length and what is kept may change",
            remedy="Restore them to go on, or choose another folder for a new run.",
        )


def _different(before: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted(before.keys() | now.keys()):
            yield from _different(before.get(key), now.get(key), f"{name}.{key}".lstrip("."))
    elif before != now:
        yield name, before, now


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _start(device: str, processes: int) -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device,
        "processes": processes,
        "machine": platform.machine(),
        "versions": {"step1x_edit": __version__, "python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
