"""The official trainer's data: a JSON of target path → {"ref_image_path", "caption"}, alone or named by its TOML.

Source: ``finetuning.py`` and ``library/`` of stepfun-ai/Step1X-Edit (their ``[[datasets]]`` with ``[[datasets.subsets]]``).
Resolution and buckets of that file are not taken over: the size comes from the training configuration.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from step1x_edit.errors import DataError
from step1x_edit.training.pairs.files import FilePairs, PairFiles

__all__ = ["open_official"]


def open_official(path: Path, *, name: str) -> FilePairs:
    """Open the official trainer's metadata JSON, or the TOML that names one or several.

    Raises:
        DataError: The file is not of that form.
    """
    tables = list(_subsets(path)) if path.suffix.lower() == ".toml" else [(path, path.parent)]
    rows = [row for table, folder in tables for row in _rows(table, folder)]
    if not rows:
        raise _unlike(path, "no pair in it")
    return FilePairs(name, rows)


def _subsets(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each subset's metadata file and picture folder."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        subsets = [subset for dataset in content["datasets"] for subset in dataset["subsets"]]
        for subset in subsets:
            folder = path.parent / subset.get("image_dir", "")
            yield _existing(subset["metadata_file"], (Path(), path.parent)), folder
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unlike(path, str(error) or type(error).__name__) from error


def _rows(table: Path, folder: Path) -> Iterator[PairFiles]:
    try:
        entries: dict[str, dict[str, Any]] = json.loads(table.read_text(encoding="utf-8"))
        for key, entry in entries.items():
            reference = entry.get("ref_image_path")
            caption = str(entry.get("caption") or "").strip()
            # The trainer opens paths as they stand, wherever it is started; a moved folder is looked for beside its table.
            places = (Path(), folder, table.parent)
            yield PairFiles(
                id=key,
                origin=f"entry {key!r} of {table.name}",
                reference=_existing(reference, places) if reference else None,
                target=_existing(key, places),
                mask=None,
                instructions={"en": caption} if caption else {},
            )
    except (OSError, ValueError, AttributeError) as error:
        raise _unlike(table, str(error) or type(error).__name__) from error


def _existing(name: str, places: tuple[Path, ...]) -> Path:
    """Return the first place where a path leads to a file; the last one where none does."""
    return next((place / name for place in places if (place / name).is_file()), places[-1] / name)


def _unlike(path: Path, why: str) -> DataError:
    return DataError(
        given=f"{path}, which is not the official trainer's ({' '.join(why.split())[:150]})",
        expected='a JSON of {target path: {"ref_image_path": ..., "caption": ...}}, or its TOML with `metadata_file`',
        remedy="Correct the file, or name another `kind`.",
    )
