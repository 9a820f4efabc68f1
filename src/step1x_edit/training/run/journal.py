"""What a run leaves to read: ``log.jsonl``, a line for each step, and TensorBoard's files where it is installed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from step1x_edit.errors import MissingExtra
from step1x_edit.store.shard import disk_errors, written_whole
from step1x_edit.training.methods.packages import training_package
from step1x_edit.training.run.watching import StepRecord

__all__ = ["LOG", "Journal", "read_log"]

LOG = "log.jsonl"
CURVES = ("loss", "gradient_norm", "rate", "samples_per_second", "tokens_per_second", "memory_gib")


class Journal:
    """Writes the records of a run; use as a context.

    Args:
        folder: Of the run.
        first_step: Steps that are done; what an earlier process logged beyond them is dropped, for it will be done again.
        notice: Hears that TensorBoard is not installed, in which case the log alone is written.
    """

    def __init__(self, folder: Path, *, first_step: int, notice: Callable[[str], None]) -> None:
        self._path = folder / LOG
        self._first_step = first_step
        self._notice = notice
        self._file: TextIO | None = None
        self._board: Any = None

    def __enter__(self) -> Journal:
        _cut(self._path, self._first_step)
        try:
            board = training_package("torch.utils.tensorboard")
        except MissingExtra:
            self._notice(f"TensorBoard is not installed, so the curves are in {LOG} alone.")
        else:
            self._board = board.SummaryWriter(str(self._path.parent / "tensorboard"), purge_step=self._first_step + 1)
        self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()

    def write(self, record: StepRecord) -> None:
        """Write a step.

        Raises:
            DataError: The disk is full.
        """
        assert self._file is not None
        with disk_errors(self._path):
            self._file.write(json.dumps({name: _sayable(value) for name, value in asdict(record).items()}) + "\n")
            self._file.flush()
        if self._board is not None:
            for name in CURVES:
                self._board.add_scalar(f"train/{name}", getattr(record, name), record.step)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Return the records of a run, oldest first; a line that a kill cut short is left out."""
    path = folder / LOG
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [record for line in lines if (record := _record(line)) is not None]


def _record(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _cut(path: Path, step: int) -> None:
    kept = [record for record in read_log(path.parent) if record["step"] <= step]
    with written_whole(path) as part:
        part.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")


def _sayable(value: Any) -> Any:
    """JSON knows no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
