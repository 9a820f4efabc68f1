"""Pairs of the data engine's store; held-out triplets are left alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from step1x_edit.errors import DataError
from step1x_edit.measures.masks import decode_mask
from step1x_edit.schema.triplet import Mask
from step1x_edit.store.columns import PICTURES, arrow
from step1x_edit.store.folder import read_store_info
from step1x_edit.store.picture_codec import decode_picture
from step1x_edit.store.shard import ROW_GROUP, triplets_path
from step1x_edit.training.pairs.pair import Language, PairContent, PairFacts, TrainingPair, UnreadablePicture

__all__ = ["StorePairs"]

_FACTS = ("uid", "source", "target", "instruction_en", "instruction_cn", "instruction_variants")


@dataclass(frozen=True, slots=True)
class _Row:
    facts: PairFacts
    reference: str
    target: str
    """Hashes of the pixels."""
    path: Path
    number: int


class StorePairs:
    """Triplets of a store by number (a :class:`~step1x_edit.training.pairs.pair.PairSource`).

    A triplet with several wordings gives each language one of them, always the same, chosen by its uid, so that a store
    teaches them all.

    Args:
        folder: The store.
        name: What the user called it.

    Raises:
        DataError: There is no store, or nothing in it to train on.
        MissingExtra: pyarrow is not installed.
    """

    def __init__(self, folder: Path, *, name: str) -> None:
        self.name = name
        self._rows = [
            row
            for facts in read_store_info(folder).shards
            if facts.split == "train"
            for row in _read_rows(triplets_path(folder, facts.number, facts.split))
        ]
        if not self._rows:
            raise DataError(
                given=f"{folder}, a store without triplets to train on",
                expected="triplets of the split `train`",
                remedy="Let `step1x data build` go on, or name another store.",
            )

    def __len__(self) -> int:
        return len(self._rows)

    def origin(self, index: int) -> str:
        """Return where a pair comes from, in words."""
        return self._rows[index].facts.origin

    def facts(self, index: int) -> PairFacts:
        """Return what the record says."""
        return self._rows[index].facts

    def content(self, index: int) -> PairContent:
        """Return the hashes in the record, and one of the mask's runs."""
        row = self._rows[index]
        mask = repr(_stored(row, ("mask",))["mask"]["runs"])
        return PairContent(
            reference=row.reference,
            target=row.target,
            mask=hashlib.blake2b(mask.encode(), digest_size=16).hexdigest(),
        )

    def pair(self, index: int) -> TrainingPair:
        """Return a pair with its pixels."""
        row = self._rows[index]
        stored = _stored(row, ("mask", *PICTURES))
        try:
            reference, target = (Image.fromarray(decode_picture(stored[name]["bytes"])) for name in PICTURES)
            mask = decode_mask(Mask.model_validate(stored["mask"]))
        except DataError as error:
            raise UnreadablePicture(
                given=f"{row.facts.origin}: {error.given}", expected=error.expected, remedy=error.remedy
            ) from error
        return TrainingPair(
            id=row.facts.id,
            reference=reference,
            target=target,
            instructions=row.facts.instructions,
            mask=mask,
            origin=row.facts.origin,
        )


def _read_rows(path: Path) -> list[_Row]:
    records = arrow().parquet.read_table(path, columns=list(_FACTS)).to_pylist()
    return [_row(record, path, number) for number, record in enumerate(records)]


def _row(record: dict[str, Any], path: Path, number: int) -> _Row:
    facts = PairFacts(
        id=record["uid"],
        origin=f"triplet {record['uid'][:8]} of {path.name}",
        has_reference=True,
        target_size=(record["target"]["width"], record["target"]["height"]),
        instructions=_wordings(record),
    )
    return _Row(facts, record["source"]["sha256"], record["target"]["sha256"], path, number)


def _wordings(record: dict[str, Any]) -> dict[Language, str]:
    languages: dict[Language, str] = {"en": record["instruction_en"], "zh": record["instruction_cn"]}
    variants = record["instruction_variants"] or ()
    chosen: dict[Language, str] = {}
    for language, plain in languages.items():
        texts = [plain, *(variant["text"] for variant in variants if variant["language"] == language)]
        texts = [text for text in dict.fromkeys(texts) if text]
        if texts:
            chosen[language] = texts[int(record["uid"][:8], 16) % len(texts)]
    return chosen


def _stored(row: _Row, columns: tuple[str, ...]) -> dict[str, Any]:
    return _row_group(row.path, row.number // ROW_GROUP, columns)[row.number % ROW_GROUP]


@lru_cache(maxsize=4)
def _row_group(path: Path, group: int, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Read the rows around one; whoever goes through a store in order reads each group once."""
    with arrow().parquet.ParquetFile(path) as file:
        return file.read_row_group(group, columns=list(columns)).to_pylist()
