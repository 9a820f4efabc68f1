"""The published data set on this machine → one table. Nothing is downloaded, and pictures are not decoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from step1x_edit.errors import DataError, MissingExtra
from step1x_edit.store.hub_cache import cached_data_set

__all__ = ["PUBLISHED_NAME", "SPLITS", "load_published", "looks_published"]

PUBLISHED_NAME = "stepfun-ai/GEdit-Bench"
SPLITS = ("train", "test")
"""The published set calls its one split ``train`` although it is test data; mirrors say ``test``. The first that is there."""


def load_published(place: str, *, columns: Sequence[str], split: str | None = None) -> Any:
    """Open the data set as a ``datasets.Dataset`` with the columns asked for, pictures left as files.

    Args:
        place: A folder of ``save_to_disk``, an Arrow or Parquet file or a folder of them, or a name in the hub cache.
        columns: Which columns; no others are read.
        split: Which split; by default the one of :data:`SPLITS` that is there.

    Raises:
        MissingExtra: ``datasets`` is not installed.
        DataError: It is not on this machine, is damaged, or lacks a column or the split.
    """
    datasets = _datasets()
    folder = Path(place) if Path(place).exists() else _cached(place)
    try:
        data = _load(datasets, folder, columns, split, place)
    except DataError:
        raise
    except (OSError, ValueError, KeyError, datasets.exceptions.DatasetsError) as fault:
        raise DataError(
            given=f"{place}, which cannot be read as a data set ({' '.join(str(fault).split())[:200]})",
            expected="Arrow or Parquet files in GEdit-Bench's schema",
            remedy=f"Fetch it again with `hf download --repo-type dataset {PUBLISHED_NAME}`.",
        ) from fault
    _require(columns, data.column_names, place)
    data = data.select_columns(list(columns))
    for name in columns:
        if isinstance(data.features[name], datasets.Image):
            data = data.cast_column(name, datasets.Image(decode=False))
    return data


def looks_published(place: Path) -> bool:
    """Tell whether a path holds Arrow or Parquet files or a saved data set."""
    if place.is_file():
        return place.suffix in (".arrow", ".parquet")
    return any((place / name).is_file() for name in ("dataset_dict.json", "state.json")) or bool(_files(place))


def _load(datasets: Any, folder: Path, columns: Sequence[str], split: str | None, place: str) -> Any:
    if (folder / "dataset_dict.json").is_file():
        parts = datasets.load_from_disk(str(folder))
        return parts[_split(list(parts), split, place)]
    if (folder / "state.json").is_file():
        return datasets.load_from_disk(str(folder))
    files = [folder] if folder.is_file() else _files(folder)
    names = {file: _split_of(file) for file in files}
    named = sorted({name for name in names.values() if name})
    if named:
        wanted = _split(named, split, place)
        files = [file for file in files if names[file] == wanted]
    if not files:
        raise DataError(
            given=f"{place} without Arrow or Parquet files",
            expected="GEdit-Bench as it is published",
            remedy=f"Name its folder, or fetch it with `hf download --repo-type dataset {PUBLISHED_NAME}`.",
        )
    if files[0].suffix == ".arrow":
        # Mapped where they lie: no second copy of gigabytes.
        return datasets.concatenate_datasets([datasets.Dataset.from_file(str(file)) for file in files])
    import pyarrow.parquet as parquet

    _require(columns, parquet.read_schema(files[0]).names, place)
    paths = [str(file) for file in files]
    return datasets.load_dataset("parquet", data_files=paths, columns=list(columns), split="train")


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.arrow")) or sorted(folder.rglob("*.parquet"))


def _split_of(file: Path) -> str | None:
    """Return the split a file belongs to, told by its name or its folder's, as the hub does it."""
    return next((one for one in SPLITS if file.name.startswith(one) or file.parent.name == one), None)


def _split(present: Sequence[str], asked: str | None, place: str) -> str:
    chosen = next((one for one in ((asked,) if asked else SPLITS) if one in present), None)
    if chosen is None:
        raise DataError(
            given=f"{place} with the splits {', '.join(present)}",
            expected=f"the split {asked or ' or '.join(SPLITS)}",
            remedy="Name the folder of the published data set.",
        )
    return chosen


def _require(columns: Sequence[str], present: Sequence[str], place: str) -> None:
    absent = [name for name in columns if name not in present]
    if absent:
        raise DataError(
            given=f"{place} with the columns {', '.join(present)}",
            expected=f"GEdit-Bench's columns, among them {', '.join(absent)}",
            remedy=f"Use {PUBLISHED_NAME} as it is published; own cases go into a folder with a cases.jsonl.",
        )


def _cached(name: str) -> Path:
    folder = cached_data_set(name)
    if folder is None:
        raise DataError(
            given=f"{name}, neither a path nor a data set in the hub cache",
            expected="GEdit-Bench on this machine",
            remedy=f"Fetch it with `hf download --repo-type dataset {PUBLISHED_NAME}`.",
        )
    return folder


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as missing:
        raise MissingExtra(
            given="an installation without datasets",
            expected="the extra `bench`",
            remedy="Install it with `pip install step1x-edit[bench]`.",
        ) from missing
    datasets.utils.logging.disable_progress_bar()
    return datasets
