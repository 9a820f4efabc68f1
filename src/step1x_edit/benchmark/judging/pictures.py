"""The pictures of a case in an editor's folder: found, told apart by hash, and brought to the form a judge sees."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.generation.run_folder import PICTURES, edited_name, read_records, source_name
from step1x_edit.benchmark.running import write_whole
from step1x_edit.measures.hashing import pixel_sha256
from step1x_edit.schema.judged import CaseId

__all__ = ["CasePictures", "PictureHashes", "edited_path", "find_pictures", "not_made", "source_path"]

_DAMAGED = (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError)
"""What Pillow raises for files that are no picture."""


def edited_path(folder: Path, case: CaseId) -> Path:
    """Return where the official layout keeps an edited picture, below ``results/METHOD``."""
    return folder / PICTURES / edited_name(case)


def source_path(folder: Path, case: CaseId) -> Path:
    """Return where the official layout keeps the source it was made from."""
    return folder / PICTURES / source_name(case)


def not_made(folder: Path) -> dict[str, str]:
    """Return why there is no picture, by the case's name, for cases that the editor refused or failed at.

    Raises:
        DataError: A line of the record cannot be read.
    """
    return {
        str(case): f"{record.outcome}: {record.reason}"
        for case, record in read_records(folder).items()
        if record.outcome != "edited"
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePictures:
    """Where the pictures of a case are, and their hashes."""

    case: JudgeableCase
    source_file: Path | None
    """The source beside the edited picture; None where the case set's own is used."""
    edited_file: Path
    source_sha256: str
    edited_sha256: str | None
    missing: str = ""
    """Why there is no edited picture."""

    def open(self) -> tuple[UInt8[np.ndarray, "height width 3"], UInt8[np.ndarray, "height width 3"]]:
        """Return source and edited picture, the latter at the source's size, as the released scorer shows them."""
        source = _decoded(self.source_file.read_bytes()) if self.source_file else self.case.open_source()
        edited = _decoded(self.edited_file.read_bytes())
        if edited.size != source.size:
            edited = edited.resize(source.size, Image.Resampling.BICUBIC)
        return np.asarray(source.convert("RGB")), np.asarray(edited)


class PictureHashes:
    """Pixel hashes by the hash of the file, so that a known file need not be decoded again.

    Args:
        path: Where they are kept.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = _kept_hashes(path)
        self._kept = len(self._known)

    def of_file(self, path: Path) -> str | None:
        """Return the hash of a picture file's pixels; None where there is no file or no whole picture in it."""
        try:
            content = path.read_bytes()
        except OSError:
            return None
        name = hashlib.sha256(content).hexdigest()
        if name not in self._known:
            try:
                self._known[name] = pixel_sha256(np.asarray(_decoded(content)))
            except _DAMAGED:
                return None
        return self._known[name]

    def write(self) -> None:
        """Keep what was found out."""
        if len(self._known) > self._kept:
            write_whole(self._path, (json.dumps(dict(sorted(self._known.items())), indent=0) + "\n").encode())


def find_pictures(folder: Path, case: JudgeableCase, *, hashes: PictureHashes, reasons: dict[str, str]) -> CasePictures:
    """Find the pictures of a case.

    Args:
        folder: The editor's, ``results/METHOD``.
        case: The case.
        hashes: Known hashes.
        reasons: Why pictures are not there, of :func:`not_made`.
    """
    edited, beside = edited_path(folder, case.id), source_path(folder, case.id)
    missing = reasons.get(str(case.id), "")
    edited_hash = None if missing else hashes.of_file(edited)
    if not missing and edited_hash is None:
        missing = "no file" if not edited.exists() else "no file that is a whole picture"
    source_hash = hashes.of_file(beside)
    return CasePictures(
        case=case,
        source_file=beside if source_hash else None,
        edited_file=edited,
        source_sha256=source_hash or pixel_sha256(np.asarray(case.open_source().convert("RGB"))),
        edited_sha256=edited_hash,
        missing=missing,
    )


def _decoded(content: bytes) -> Image.Image:
    """Decode as the released scorer does: upright, RGB, nothing else changed."""
    with Image.open(BytesIO(content)) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def _kept_hashes(path: Path) -> dict[str, str]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # They are found out again.
        return {}
