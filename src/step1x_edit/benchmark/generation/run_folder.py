"""A run's folder in GEdit-Bench's official layout, with what decided it and how each case went beside the pictures.

``<out>/results/<method>/fullset/<task>/<en|cn>/<key>.png`` is the edited picture, ``<key>_SRCIMG.png`` its source.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from step1x_edit.benchmark.running import write_whole
from step1x_edit.errors import DataError, RequestError
from step1x_edit.schema.judged import CaseId, GenerationRecord
from step1x_edit.store.lock import locked
from step1x_edit.store.shard import disk_errors, written_whole

__all__ = [
    "LOG",
    "PICTURES",
    "SETTINGS",
    "GenerationSettings",
    "RunFolder",
    "edited_name",
    "read_records",
    "read_settings",
    "source_name",
]

SETTINGS, LOG, PICTURES = "run.json", "generation.jsonl", "fullset"
_METHOD = re.compile(r"[\w-][\w.+-]{0,99}")


class GenerationSettings(BaseModel):
    """What decides the pictures of a run. Which cases were chosen does not: more can be added later."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    suite: str
    fingerprint: str
    """Of the whole case set."""
    editor: str
    version: str
    """Package, weights, adapters, preset, options: what changes the editor's answers."""
    seed: int
    """Of the case set's first case; each case adds its place in the whole set."""


def edited_name(case: CaseId) -> Path:
    """Return where a case's edited picture lies, from ``fullset`` on."""
    return Path(case.task.value) / case.language / f"{case.key}.png"


def source_name(case: CaseId) -> Path:
    """Return where its source lies, from ``fullset`` on."""
    return Path(case.task.value) / case.language / f"{case.key}_SRCIMG.png"


def read_settings(folder: Path) -> GenerationSettings:
    """Return what decided the run in an editor's folder.

    Raises:
        DataError: There is no run, or its settings cannot be read.
    """
    path = folder / SETTINGS
    try:
        return GenerationSettings.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as fault:
        raise DataError(
            given=f"{path}, which cannot be read ({' '.join(str(fault).split())[:200]})",
            expected="the settings of a run",
            remedy="Make the pictures with `step1x bench run`.",
        ) from fault


def read_records(folder: Path) -> dict[CaseId, GenerationRecord]:
    """Return how each case in an editor's folder went, the last word of each; nothing where no run of ours made it.

    A line that a kill cut off at the end is left out.

    Raises:
        DataError: Another line is no record.
    """
    path = folder / LOG
    # Only line feeds end a record: an editor's words may hold other characters at which str.splitlines breaks.
    *lines, _unfinished = path.read_text(encoding="utf-8").split("\n") if path.is_file() else [""]
    found: dict[CaseId, GenerationRecord] = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = GenerationRecord.model_validate_json(line)
        except ValidationError as fault:
            raise DataError(
                given=f"line {number} of {path}, which is no record",
                expected="lines that `step1x bench run` wrote",
                remedy="Delete the line; its case is edited again.",
            ) from fault
        found[record.case] = record
    return found


class RunFolder:
    """The folder ``results/<method>`` of one editor.

    Args:
        out: Folder that holds ``results``.
        method: Name of the editor in the layout.

    Raises:
        RequestError: The name cannot name a folder.
    """

    def __init__(self, out: Path, method: str) -> None:
        if not _METHOD.fullmatch(method):
            raise RequestError(
                given=f"the method {method!r}",
                expected="letters, digits, '_', '-', '+' and '.', at most 100, since a folder is named after it",
                remedy="Give it another name with --method.",
            )
        self.method = method
        self.path = out / "results" / method

    def edited(self, case: CaseId) -> Path:
        """Return where a case's edited picture lies."""
        return self.path / PICTURES / edited_name(case)

    def source(self, case: CaseId) -> Path:
        """Return where its source lies."""
        return self.path / PICTURES / source_name(case)

    def settings(self) -> GenerationSettings:
        """Return what decided the run.

        Raises:
            DataError: There is no run, or its settings cannot be read.
        """
        return read_settings(self.path)

    def records(self) -> dict[CaseId, GenerationRecord]:
        """Return how each case went, the last word of each. A line that a kill cut off at the end is left out.

        Raises:
            DataError: Another line is no record.
        """
        return read_records(self.path)

    @contextmanager
    def claimed(self, settings: GenerationSettings) -> Iterator[None]:
        """Keep other writers out while the block runs, after a look that the folder is new or of the same settings.

        Raises:
            DataError: It holds pictures of other settings.
            RequestError: Another process writes there.
        """
        with locked(self.path):
            if (self.path / SETTINGS).is_file():
                self._refuse_others(settings)
            else:
                write_whole(self.path / SETTINGS, (settings.model_dump_json(indent=1) + "\n").encode())
            kept = "".join(record.model_dump_json() + "\n" for record in self.records().values())
            write_whole(self.path / LOG, kept.encode())
            yield

    def keep(self, record: GenerationRecord, *, source: Image.Image, edited: Image.Image | None) -> None:
        """Write a case's pictures, then its record, so that a record always has its picture.

        Raises:
            DataError: The disk is full.
        """
        _write_picture(self.source(record.case), source)
        if edited is not None:
            _write_picture(self.edited(record.case), edited)
        else:
            self.edited(record.case).unlink(missing_ok=True)
        line = (record.model_dump_json() + "\n").encode()
        path = self.path / LOG
        with disk_errors(path):
            # One write at the file's end: a reader meets whole lines only.
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                os.write(file, line)
            finally:
                os.close(file)

    def is_whole(self, case: CaseId) -> bool:
        """Tell whether a case's edited picture is there and not torn."""
        try:
            with Image.open(self.edited(case)) as picture:
                picture.verify()
        except (OSError, SyntaxError, ValueError):
            return False
        return True

    def has_own_size(self, case: CaseId) -> bool:
        """Tell whether a case's edited picture is as large as its source; judges see others resized."""
        with Image.open(self.edited(case)) as edited, Image.open(self.source(case)) as source:
            return edited.size == source.size

    def _refuse_others(self, settings: GenerationSettings) -> None:
        kept = self.settings()
        others = [name for name in GenerationSettings.model_fields if getattr(kept, name) != getattr(settings, name)]
        if others:
            raise DataError(
                given=f"{self.path}, which holds a run with another {' and '.join(others)}",
                expected="a new folder, or a run with the same settings to go on with",
                remedy="Choose another --out or --method, or delete the folder.",
            )


def _write_picture(path: Path, picture: Image.Image) -> None:
    with written_whole(path) as part:
        picture.save(part, format="PNG")
