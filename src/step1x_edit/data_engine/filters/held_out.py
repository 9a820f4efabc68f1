"""Pictures that must not come into training: those a benchmark is made of, by their perceptual hashes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from step1x_edit.data_engine.filters.filter import bounded
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.errors import DataError
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.hashing import hamming_distances, perceptual_hash
from step1x_edit.schema.triplet import Decision

__all__ = ["HashList", "HeldOut", "read_hash_list", "write_hash_list"]

Rgb = UInt8[np.ndarray, "height width 3"]
DIGITS = 16
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HashList:
    """Perceptual hashes of pictures, and what each is called."""

    hashes: tuple[str, ...]
    """16 hexadecimal digits each."""
    names: tuple[str, ...]

    def nearest(self, picture: Rgb) -> tuple[int, str] | None:
        """Return in how many bits the likest picture differs from this one or its mirror image, and its name."""
        if not self.hashes:
            return None
        either = (perceptual_hash(picture), perceptual_hash(np.ascontiguousarray(picture[:, ::-1])))
        distances = np.minimum(*(hamming_distances(one, self.hashes) for one in either))
        best = int(distances.argmin())
        return int(distances[best]), self.names[best]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Neither picture is one of a benchmark, nor the mirror image of one.

    Hashes do not see through crops: a pool whose pictures are cropped must be checked picture by picture before.
    """

    name: ClassVar[str] = "held-out"
    known: HashList
    at_least_bits: int

    def decide(self, pair: EditPair, _experts: ExpertSet | None) -> Decision:
        """Measure in how many of 64 bits the likest held-out picture differs."""
        found = [one for one in map(self.known.nearest, (pair.reference, pair.target)) if one is not None]
        bits, name = min(found, default=(None, ""))
        what = f"The distance in bits to the held-out picture {name}"
        return bounded(self.name, bits, what=what, at_least=self.at_least_bits)


def write_hash_list(folder: Path, path: Path) -> HashList:
    """Hash all pictures below a folder and write the list: a line each, hash and path below the folder.

    Raises:
        DataError: There is no picture, or one cannot be read.
    """
    pairs = sorted((perceptual_hash(picture), name) for name, picture in _pictures(folder))
    if not pairs:
        raise DataError(
            given=f"{folder}", expected="a folder with pictures", remedy="Give the benchmark's picture folder."
        )
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", encoding="utf-8", delete=False) as draft:
        draft.writelines(f"{digits} {name}\n" for digits, name in pairs)
    Path(draft.name).replace(path)
    return read_hash_list(path)


def read_hash_list(path: Path) -> HashList:
    """Read a list that :func:`write_hash_list` or any tool for ImageHash's ``phash`` wrote.

    Raises:
        DataError: The file is absent, or a line does not begin with 16 hexadecimal digits.
    """
    if not path.is_file():
        raise DataError(given=f"{path}", expected="a list of hashes", remedy="Write one from the pictures' folder.")
    lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for words in lines:
        if len(words[0]) != DIGITS or set(words[0].lower()) - set("0123456789abcdef"):
            raise DataError(
                given=f"the line {' '.join(words)!r} of {path}",
                expected=f"{DIGITS} hexadecimal digits, then a name",
                remedy="Write the list again from the pictures' folder.",
            )
    return HashList(
        hashes=tuple(words[0].lower() for words in lines),
        names=tuple(words[1] if len(words) > 1 else words[0] for words in lines),
    )


def _pictures(folder: Path) -> Iterator[tuple[str, Rgb]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        try:
            with Image.open(path) as opened:
                yield path.relative_to(folder).as_posix(), np.asarray(opened.convert("RGB"))
        except OSError as error:
            raise DataError(given=f"{path}", expected="a picture", remedy="Take the broken file away.") from error
