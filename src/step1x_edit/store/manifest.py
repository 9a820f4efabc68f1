"""The manifest: begun with the settings of a run, sealed with counts and one hash over what the run gave."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from step1x_edit.errors import DataError, RequestError
from step1x_edit.store.folder import StoreInfo, read_store_info
from step1x_edit.store.index import write_index
from step1x_edit.store.lock import LOCK
from step1x_edit.store.shard import written_whole

__all__ = ["MANIFEST", "Manifest", "open_store", "read_manifest", "seal_store"]

MANIFEST = "manifest.json"
FOLDERS = ("triplets", "rejections")
OWN = {LOCK, *FOLDERS, "pool"}
"""What may lie in the folder before the manifest does; source pictures are gathered in ``pool``."""


class Manifest(BaseModel):
    """What a store was made with, and what came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    """Of the files; raised when an older reader would misread them."""
    pipeline_version: str
    settings: dict[str, Any]
    """Everything that decides what an attempt gives; another value, another store."""
    shard_attempts: int
    """Attempts of a shard."""
    attempts_wanted: int
    """May grow from run to run."""
    attempts: int = 0
    kept: dict[str, int] = {}
    """Triplets by task."""
    rejected: dict[str, dict[str, int]] = {}
    """Rejections by task and stage."""
    retries: int = 0
    """Attempts that ran out of time; the same command makes them again."""
    hash: str | None = None
    """Over version, settings and all records; without seconds, hosts and time-outs. None until the run is finished."""


def open_store(
    folder: Path, *, settings: Mapping[str, Any], pipeline_version: str, attempts: int, shard_attempts: int
) -> Manifest:
    """Begin a store, or go on with one that was begun with the same settings.

    Args:
        folder: Where the store is or will be.
        settings: Everything that decides what an attempt gives.
        pipeline_version: Version of the package.
        attempts: How many attempts the store shall hold; never fewer than it has.
        shard_attempts: Attempts of a shard, for a new store; a store that is there keeps its own.

    Returns:
        The manifest, without counts.

    Raises:
        RequestError: The folder holds another store, or something else.
        DataError: The disk is full, or the manifest there is damaged.
    """
    if not (folder / MANIFEST).is_file():
        others = [path for path in folder.glob("*") if path.name not in OWN]
        if others and not (folder / FOLDERS[0]).is_dir():
            raise RequestError(
                given=f"{folder}, which holds other things",
                expected="a new folder, an empty one, or a store",
                remedy="Choose another folder with --out.",
            )
        begun = Manifest(
            pipeline_version=pipeline_version,
            settings=dict(settings),
            shard_attempts=shard_attempts,
            attempts_wanted=attempts,
        )
    else:
        begun = _continued(folder, dict(settings), pipeline_version, attempts)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for left in (folder / name).glob(".*.part"):
            left.unlink()
    _write(folder, begun)
    return begun


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a store.

    Raises:
        DataError: There is none, or it cannot be read.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(
            given=f"{path}, which cannot be read ({' '.join(str(error).split())[:120]})",
            expected="the manifest of a store",
            remedy="Check the path; a store is made with `step1x data build`.",
        ) from error


def seal_store(folder: Path, *, indexed: StoreInfo | None = None) -> Manifest:
    """Write the index, and the manifest with counts and hash, from the finished shards.

    Args:
        folder: The store.
        indexed: What it holds, where that is known and its index is written already.

    Raises:
        DataError: The disk is full.
    """
    begun, info = read_manifest(folder), indexed or read_store_info(folder)
    if indexed is None:
        write_index(info)
    told = {"pipeline_version": begun.pipeline_version, "settings": begun.settings, "digest": info.digest}
    sealed = begun.model_copy(
        update={
            "attempts": info.attempts,
            "kept": dict(sorted(info.kept.items())),
            "rejected": {task: dict(sorted(stages.items())) for task, stages in sorted(info.rejected.items())},
            "retries": info.retries,
            "hash": hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        }
    )
    _write(folder, sealed)
    return sealed


def _continued(folder: Path, settings: dict[str, Any], pipeline_version: str, attempts: int) -> Manifest:
    before = read_manifest(folder)
    then = {**before.settings, "version": before.pipeline_version}
    now = {**settings, "version": pipeline_version}
    differing = [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]
    if differing:
        words = ", ".join(f"{name} {json.dumps(then.get(name))}" for name in differing)
        raise RequestError(
            given=f"{folder}, a store begun with {words}",
            expected=", ".join(f"{name} {json.dumps(now.get(name))}" for name in differing),
            remedy="Give the settings it was begun with, or another folder with --out.",
        )
    return Manifest(
        pipeline_version=pipeline_version,
        settings=settings,
        shard_attempts=before.shard_attempts,
        attempts_wanted=max(attempts, before.attempts_wanted),
    )


def _write(folder: Path, manifest: Manifest) -> None:
    with written_whole(folder / MANIFEST) as part:
        part.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
