"""From what a user names to pairs."""

from __future__ import annotations

import re
from pathlib import Path

from step1x_edit.errors import DataError
from step1x_edit.training.config import SourceConfig
from step1x_edit.training.pairs.dataset import open_dataset
from step1x_edit.training.pairs.folder import TABLES, open_folder
from step1x_edit.training.pairs.official import open_official
from step1x_edit.training.pairs.pair import PairSource
from step1x_edit.training.pairs.stored import StorePairs

__all__ = ["open_pairs"]

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_OFFICIAL = (".json", ".toml")


def open_pairs(source: SourceConfig) -> PairSource:
    """Open one source of a training configuration.

    Raises:
        DataError: Nothing is there, or it is not of the kind that was named.
        MissingExtra: A package that reads this kind is not installed.
    """
    path, kind = Path(source.path).expanduser(), source.kind
    if kind == "auto":
        kind = _kind(path)
    if kind == "dataset":
        where = str(path) if path.exists() else source.path
        return open_dataset(where, name=source.path, split=source.split, columns=source.columns)
    if not path.exists():
        raise _nothing(source.path)
    if kind == "store":
        return StorePairs(path, name=source.path)
    return open_official(path, name=source.path) if kind == "official" else open_folder(path, name=source.path)


def _kind(path: Path) -> str:
    """Tell by names alone what lies at a path."""
    if not path.exists():
        if _HUB_NAME.fullmatch(str(path)):
            return "dataset"
        raise _nothing(str(path))
    if path.is_file():
        suffix = path.suffix.lower()
        kinds = {**dict.fromkeys(TABLES, "folder"), **dict.fromkeys(_OFFICIAL, "official"), ".parquet": "dataset"}
        if suffix not in kinds:
            raise _nothing(f"{path}, a {suffix or 'nameless'} file")
        return kinds[suffix]
    if (path / "triplets").is_dir():
        return "store"
    saved = any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))
    return "dataset" if saved or any(path.rglob("*.parquet")) else "folder"


def _nothing(given: str) -> DataError:
    return DataError(
        given=given,
        expected="a store, a folder of pairs, a CSV or JSONL, a data set, or the official trainer's JSON, on this machine",
        remedy="Check the path.",
    )
