"""Checkpoints: a folder each, written whole or not at all, with the hashes of its files in the last one written.

``checkpoints/step-00000500/`` holds ``trained.safetensors`` (the weights that learn), ``state.json`` and
``state.safetensors`` (optimiser, running mean, place in the data, random states, counts) and ``COMPLETE.json``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from step1x_edit.store.shard import disk_errors
from step1x_edit.training.run.state_files import read_tensors, read_tree, write_tensors, write_tree

__all__ = ["COMPLETE", "Checkpoint", "CheckpointFolder"]

COMPLETE = "COMPLETE.json"
"""The completion marker: step, and size and SHA-256 of every other file."""
TRAINED = "trained.safetensors"
STATE = "state"
PART = ".part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything a run needs to go on as if it had never stopped."""

    step: int
    trained: Mapping[str, Tensor]
    """Weights that learn, by their name in the network."""
    state: Mapping[str, Any]
    """All else, as a tree."""


class CheckpointFolder:
    """The checkpoints of one run.

    Args:
        folder: Where they lie.
        keep: How many stay.
        notice: Hears of checkpoints that are passed over.
    """

    def __init__(self, folder: Path, *, keep: int, notice: Callable[[str], None]) -> None:
        self._folder = folder
        self._keep = keep
        self._notice = notice

    def write(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint beside its place, move it there, then remove the oldest ones.

        Raises:
            DataError: The disk is full; what was there before is untouched.
        """
        place = self._folder / f"step-{checkpoint.step:08}"
        part = place.with_name(f".{place.name}{PART}")
        with disk_errors(place):
            self._sweep()
            try:
                part.mkdir(parents=True)
                write_tensors(checkpoint.trained, part / TRAINED)
                write_tree(dict(checkpoint.state), part, STATE)
                marker = {
                    "step": checkpoint.step,
                    "files": {path.name: _facts(path) for path in sorted(part.iterdir())},
                }
                (part / COMPLETE).write_text(json.dumps(marker, indent=2), encoding="utf-8")
                if place.exists():  # A damaged one, or one that the run has come to a second time.
                    shutil.rmtree(place)
                part.replace(place)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        self._prune(checkpoint.step)
        return place

    def latest(self) -> Checkpoint | None:
        """Read the newest checkpoint that is whole; say which newer ones are not.

        Returns:
            The checkpoint, or ``None`` where there is none.
        """
        for place in self.places():
            fault = _fault(place)
            if fault is None:
                return _read(place)
            self._notice(f"The checkpoint {place} is passed over: {fault}.")
        return None

    def places(self) -> list[Path]:
        """Return the folders of checkpoints, newest first, whole or not."""
        return sorted(self._folder.glob("step-*"), reverse=True)

    def _sweep(self) -> None:
        """Remove what a killed process left half written."""
        for part in self._folder.glob(f".step-*{PART}"):
            shutil.rmtree(part, ignore_errors=True)

    def _prune(self, newest: int) -> None:
        """Remove all but the newest; those of later steps are of a run that was thrown back."""
        whole = [place for place in self.places() if (place / COMPLETE).is_file() and _step(place) <= newest]
        for place in whole[self._keep :]:
            shutil.rmtree(place)


def _read(place: Path) -> Checkpoint:
    return Checkpoint(step=_step(place), trained=read_tensors(place / TRAINED), state=read_tree(place, STATE))


def _step(place: Path) -> int:
    return int(place.name.removeprefix("step-"))


def _fault(place: Path) -> str | None:
    """Return what is wrong with a checkpoint, or ``None``."""
    try:
        files = json.loads((place / COMPLETE).read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        return "it was not finished"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{COMPLETE} cannot be read"
    return next(_faults(place, files), None)


def _faults(place: Path, files: Mapping[str, Any]) -> Iterator[str]:
    for name, facts in files.items():
        path = place / name
        if not path.is_file():
            yield f"{name} is missing"
        elif path.stat().st_size != facts["bytes"] or _facts(path) != facts:
            yield f"{name} is damaged"


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
