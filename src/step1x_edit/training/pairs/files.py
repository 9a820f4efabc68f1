"""Pairs whose pictures are files, whatever names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from step1x_edit.training.pairs.pair import Language, PairContent, PairFacts, TrainingPair
from step1x_edit.training.pairs.pictures import content_hash, picture_size, read_mask, read_picture, require_file

__all__ = ["FilePairs", "PairFiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFiles:
    """Where the pictures of one pair should lie."""

    id: str
    origin: str
    reference: Path | None
    target: Path
    mask: Path | None
    instructions: Mapping[Language, str]


class FilePairs:
    """Pairs of picture files (a :class:`~step1x_edit.training.pairs.pair.PairSource`).

    Args:
        name: What the user called it.
        rows: The pairs, in order.
    """

    def __init__(self, name: str, rows: Sequence[PairFiles]) -> None:
        self.name = name
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def origin(self, index: int) -> str:
        """Return where a pair comes from, in words."""
        return self._rows[index].origin

    def facts(self, index: int) -> PairFacts:
        """Return what is known without decoding."""
        row = self._rows[index]
        if row.reference is not None:
            require_file(row.reference, what=_what(row, "reference"))
        return PairFacts(
            id=row.id,
            origin=row.origin,
            has_reference=row.reference is not None,
            target_size=picture_size(row.target, what=_what(row, "target")),
            instructions=row.instructions,
        )

    def content(self, index: int) -> PairContent:
        """Return hashes of the pictures."""
        row = self._rows[index]
        return PairContent(
            reference=row.reference and content_hash(row.reference, what=_what(row, "reference")),
            target=content_hash(row.target, what=_what(row, "target")),
            mask=row.mask and content_hash(row.mask, what=_what(row, "mask")),
        )

    def pair(self, index: int) -> TrainingPair:
        """Return a pair with its pixels."""
        row = self._rows[index]
        # What is missing is said before what is broken.
        for path, part in ((row.reference, "reference"), (row.target, "target"), (row.mask, "mask")):
            if path is not None:
                require_file(path, what=_what(row, part))
        return TrainingPair(
            id=row.id,
            reference=None if row.reference is None else read_picture(row.reference, what=_what(row, "reference")),
            target=read_picture(row.target, what=_what(row, "target")),
            instructions=row.instructions,
            mask=None if row.mask is None else read_mask(row.mask, what=_what(row, "mask")),
            origin=row.origin,
        )


def _what(row: PairFiles, part: str) -> str:
    return f"the {part} of {row.origin}"
