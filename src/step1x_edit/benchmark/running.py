"""Runs an editor over a suite. Each case's picture is kept when it is made, so a stopped run goes on where it was."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from step1x_edit.benchmark.editors import SuiteEditor
from step1x_edit.benchmark.suites import BenchmarkCase, Language, Suite
from step1x_edit.errors import DataError
from step1x_edit.schema.score import RunSettings
from step1x_edit.store.shard import written_whole

__all__ = ["FinishedCase", "run_suite", "write_whole"]

SETTINGS = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedCase:
    """A case and what the editor made of it."""

    case: BenchmarkCase
    instruction: str
    result: UInt8[np.ndarray, "height width 3"]
    seconds: float


def run_suite(
    suite: Suite,
    editor: SuiteEditor,
    folder: Path,
    *,
    language: Language = "en",
    seed: int = 0,
) -> Iterator[FinishedCase]:
    """Edit every case and yield it; cases whose picture is in the folder already are read, not made again.

    Args:
        suite: The cases.
        editor: Who edits.
        folder: Where ``run.json`` and one PNG per case go.
        language: Language of the instructions.
        seed: Case number ``i`` is edited with seed + i.

    Raises:
        DataError: The folder holds results of other settings, or a result of another size than the reference.
    """
    settings = RunSettings(
        suite=suite.name,
        manifest_hash=suite.manifest_hash,
        editor=editor.name,
        editor_version=editor.version,
        language=language,
        seed=seed,
    )
    _claim(folder, settings)
    for number, case in enumerate(suite.cases):
        yield _finished(case, editor, folder, language=language, seed=seed + number)


def _claim(folder: Path, settings: RunSettings) -> None:
    """Write the settings into a new folder, or check that a used one was of the same settings."""
    path = folder / SETTINGS
    if path.is_file():
        kept = RunSettings.model_validate_json(path.read_text(encoding="utf-8"))
        if kept == settings:
            return
        others = [name for name in RunSettings.model_fields if getattr(kept, name) != getattr(settings, name)]
        raise DataError(
            given=f"{folder}, which holds a run with another {' and '.join(others)}",
            expected="an empty folder, or a run with the same settings to go on with",
            remedy="Choose another --out, or delete the folder.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(settings.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n").encode())


def _finished(case: BenchmarkCase, editor: SuiteEditor, folder: Path, *, language: Language, seed: int) -> FinishedCase:
    path = folder / f"{case.name}.png"
    instruction = case.instruction(language)
    kept = _read(path)
    if kept is not None:
        return FinishedCase(case=case, instruction=instruction, result=kept[0], seconds=kept[1])
    start = time.monotonic()
    result = editor.edit(case.reference, instruction, seed=seed)
    seconds = time.monotonic() - start
    if result.shape != case.reference.shape:
        raise DataError(
            given=f"a result of {result.shape[1]} x {result.shape[0]} px by the editor {editor.name!r}",
            expected=f"the reference's {case.reference.shape[1]} x {case.reference.shape[0]} px",
            remedy="Let the editor return its result at the size of the reference.",
        )
    picture = Image.fromarray(result)
    with written_whole(path) as part:
        picture.save(part, format="PNG", pnginfo=_note(seconds))
    return FinishedCase(case=case, instruction=instruction, result=result, seconds=seconds)


def _note(seconds: float) -> PngInfo:
    note = PngInfo()
    note.add_text("seconds", f"{seconds:.4f}")
    return note


def _read(path: Path) -> tuple[np.ndarray, float] | None:
    """Return a kept result, or None where there is none that is whole."""
    if not path.is_file():
        return None
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
            return pixels, float(picture.info.get("seconds", 0.0))
    except (OSError, UnidentifiedImageError, ValueError):
        return None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; a reader never meets a half-written one."""
    with written_whole(path) as part:
        part.write_bytes(content)
