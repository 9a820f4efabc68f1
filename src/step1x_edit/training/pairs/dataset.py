"""Pairs of a Hugging Face data set: saved on disk, Parquet files, or a name in the hub cache. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from step1x_edit.errors import DataError, MissingExtra
from step1x_edit.store.hub_cache import cached_data_set
from step1x_edit.training.pairs.pair import Language, MissingPartner, PairContent, PairFacts, TrainingPair
from step1x_edit.training.pairs.pictures import Stored, content_hash, picture_size, read_mask, read_picture

__all__ = ["USUAL_COLUMNS", "DatasetPairs", "open_dataset"]

USUAL_COLUMNS: dict[str, tuple[str, ...]] = {
    "reference": (
        "reference", "reference_image", "source_image", "source", "source_img", "src_img", "input_image", "input",
        "original_image", "original", "image_before", "before",
    ),
    "target": (
        "target", "target_image", "target_img", "edited_image", "edited_img", "edited", "output_image", "output",
        "image_after", "after", "image",
    ),
    "instruction": (
        "instruction", "instruction_en", "edit_instruction", "edit_prompt", "edited_prompt_list", "edit", "prompt",
        "caption", "text",
    ),
    "instruction_zh": ("instruction_zh", "instruction_cn", "instruction_chinese"),
    "mask": ("mask_image", "mask_img", "edit_mask", "mask"),
}  # fmt: skip
"""Names under which public edit data sets keep their columns, the likeliest first (InstructPix2Pix, MagicBrush, SEED-Data-Edit,
UltraEdit, OmniEdit, ImgEdit)."""
_PICTURES = ("reference", "target", "mask")
_LANGUAGES: dict[str, Language] = {"instruction": "en", "instruction_zh": "zh"}


def open_dataset(
    path: str, *, name: str, split: str = "train", columns: Mapping[Any, str] | None = None
) -> DatasetPairs:
    """Open a data set.

    Args:
        path: Folder of ``save_to_disk``, a Parquet file or folder of them, or a name in the hub cache.
        name: What the user called it.
        split: Which part of it.
        columns: Our column → theirs, where guessing goes wrong.

    Raises:
        MissingExtra: ``datasets`` is not installed.
        DataError: There is no such data set on this machine, or its columns are unknown.
    """
    datasets = _datasets()
    place = Path(path) if Path(path).exists() else _cached(path)
    try:
        dataset = _load(datasets, place, split)
    except (OSError, ValueError, KeyError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            given=f"the data set {path} ({' '.join(str(error).split())[:200]})",
            expected=f"one with the split {split!r}, saved on disk or as Parquet files",
            remedy="Check path and split.",
        ) from error
    chosen = _columns(dataset, columns or {}, name=path)
    for column in (chosen[part] for part in _PICTURES if part in chosen):
        if isinstance(dataset.features[column], datasets.Image):
            # The files as they are: they are decoded by the reader that also serves the pipeline.
            dataset = dataset.cast_column(column, datasets.Image(decode=False))
    return DatasetPairs(dataset, chosen, name=name, folder=place if place.is_dir() else place.parent)


class DatasetPairs:
    """Rows of a data set (a :class:`~step1x_edit.training.pairs.pair.PairSource`).

    Args:
        dataset: A ``datasets.Dataset`` whose pictures are not decoded.
        columns: Our column → theirs.
        name: What the user called it.
        folder: Where relative paths in it begin.
    """

    def __init__(self, dataset: Any, columns: Mapping[str, str], *, name: str, folder: Path) -> None:
        self.name = name
        self._dataset = dataset
        self._columns = columns
        self._folder = folder

    def __len__(self) -> int:
        return len(self._dataset)

    def origin(self, index: int) -> str:
        """Return where a pair comes from, in words."""
        return f"row {index} of {self.name}"

    def facts(self, index: int) -> PairFacts:
        """Return what is known without decoding."""
        row = self._row(index)
        return PairFacts(
            id=str(index),
            origin=self.origin(index),
            has_reference=self._stored(row, "reference") is not None,
            target_size=picture_size(self._target(row, index), what=self._what(index, "target")),
            instructions=self._instructions(row),
        )

    def content(self, index: int) -> PairContent:
        """Return hashes of the pictures' files."""
        row = self._row(index)
        hashes = {
            part: content_hash(stored, what=self._what(index, part))
            for part in _PICTURES
            if (stored := self._stored(row, part)) is not None
        }
        self._target(row, index)
        return PairContent(reference=hashes.get("reference"), target=hashes["target"], mask=hashes.get("mask"))

    def pair(self, index: int) -> TrainingPair:
        """Return a pair with its pixels."""
        row = self._row(index)
        reference, mask = self._stored(row, "reference"), self._stored(row, "mask")
        return TrainingPair(
            id=str(index),
            reference=None if reference is None else read_picture(reference, what=self._what(index, "reference")),
            target=read_picture(self._target(row, index), what=self._what(index, "target")),
            instructions=self._instructions(row),
            mask=None if mask is None else read_mask(mask, what=self._what(index, "mask")),
            origin=self.origin(index),
        )

    def _row(self, index: int) -> dict[str, Any]:
        return self._dataset[index]

    def _target(self, row: dict[str, Any], index: int) -> Stored:
        stored = self._stored(row, "target")
        if stored is None:
            raise MissingPartner(
                given=f"{self._what(index, 'target')}, which is empty",
                expected="a picture",
                remedy="Take the row out, or name the right column.",
            )
        return stored

    def _stored(self, row: dict[str, Any], part: str) -> Stored | None:
        value = row.get(self._columns.get(part, ""))
        if isinstance(value, dict):
            value = value["bytes"] if value.get("bytes") else value.get("path")
        if isinstance(value, str):
            return self._folder / value
        return value or None

    def _instructions(self, row: dict[str, Any]) -> dict[Language, str]:
        found: dict[Language, str] = {}
        for part, language in _LANGUAGES.items():
            value = row.get(self._columns.get(part, ""))
            text = value[0] if isinstance(value, list) and value else value
            if isinstance(text, str) and text.strip():
                found[language] = text.strip()
        return found

    def _what(self, index: int, part: str) -> str:
        return f"the {part} of {self.origin(index)}"


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as missing:
        raise MissingExtra(
            given="an installation without datasets",
            expected="the extra `train`",
            remedy="Install it with `pip install step1x-edit[train]`.",
        ) from missing
    return datasets


def _cached(name: str) -> Path:
    """Return a data set's folder in the cache of the hub."""
    folder = cached_data_set(name)
    if folder is None:
        raise DataError(
            given=f"{name}, neither a path nor a data set in the hub cache",
            expected="pairs that are on this machine",
            remedy=f"Check the path, or fetch it with `hf download --repo-type dataset {name}`.",
        )
    return folder


def _load(datasets: Any, place: Path, split: str) -> Any:
    if (place / "dataset_dict.json").is_file():
        return datasets.load_from_disk(str(place))[split]
    if (place / "state.json").is_file():
        return datasets.load_from_disk(str(place))
    files = [place] if place.is_file() else sorted(place.rglob("*.parquet"))
    # Files of several splits are told apart by their names, as the hub does it.
    named = [file for file in files if file.name.startswith(split) or file.parent.name == split]
    if not files:
        raise DataError(
            given=f"{place} without Parquet files",
            expected="a data set saved on disk or as Parquet files",
            remedy="Name the folder that holds them.",
        )
    return datasets.load_dataset("parquet", data_files=[str(file) for file in named or files], split="train")


def _columns(dataset: Any, given: Mapping[Any, str], *, name: str) -> dict[str, str]:
    """Return our columns → theirs: the named ones, else the first usual name that is there."""
    present = list(dataset.column_names)
    guessed = {part: next((word for word in words if word in present), None) for part, words in USUAL_COLUMNS.items()}
    chosen = {part: column for part, column in {**guessed, **given}.items() if column is not None}
    strange = [*(given.keys() - USUAL_COLUMNS.keys()), *(column for column in given.values() if column not in present)]
    if strange or "target" not in chosen or not _LANGUAGES.keys() & chosen.keys():
        raise DataError(
            given=f"the data set {name} with the columns {', '.join(present)}",
            expected=f"columns for {', '.join(USUAL_COLUMNS)}"
            + (f", among them {', '.join(strange)}" if strange else ""),
            remedy='Say which is which with `columns = { reference = "...", target = "...", instruction = "..." }`.',
        )
    # A store's mask column holds run lengths, not pictures.
    return {part: column for part, column in chosen.items() if part != "mask" or _is_picture(dataset.features[column])}


def _is_picture(feature: Any) -> bool:
    return type(feature).__name__ == "Image" or getattr(feature, "dtype", None) in ("string", "binary")
