"""Pictures that must not come into training: those a benchmark is made of, by their perceptual hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from step1x_edit.data_engine.filters.filter import bounded
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.sources.offers import Candidate, Offer, Pooled
from step1x_edit.errors import DataError, RequestError
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.hashing import hamming_distances, perceptual_hash
from step1x_edit.pipeline.intake import read_reference
from step1x_edit.schema.triplet import Decision
from step1x_edit.store.shard import written_whole

__all__ = ["HashList", "HeldOut", "hash_pictures", "read_hash_lists", "write_hash_list"]

Rgb = UInt8[np.ndarray, "height width 3"]
DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HashList:
    """Perceptual hashes of pictures, and what each is called."""

    hashes: tuple[str, ...]
    """16 hexadecimal digits each."""
    names: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """16 digits that tell a list from others."""
        return hashlib.sha256("\n".join(self._lines()).encode()).hexdigest()[:DIGITS]

    def nearest(self, picture: Rgb) -> tuple[int, str] | None:
        """Return in how many bits the likest picture differs from this one or its mirror image, and its name."""
        if not self.hashes:
            return None
        either = (perceptual_hash(picture), perceptual_hash(np.ascontiguousarray(picture[:, ::-1])))
        distances = np.minimum(*(hamming_distances(one, self.hashes) for one in either))
        best = int(distances.argmin())
        return int(distances[best]), self.names[best]

    def _lines(self) -> list[str]:
        return sorted(f"{digits} {name}" for digits, name in zip(self.hashes, self.names, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Neither picture is one of a benchmark, nor the mirror image of one.

    Hashes do not see through crops, and recipes crop: the pictures of a pool are looked at themselves, see :meth:`sifted`.
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

    def sifted(self, pool: Pool) -> Pool:
        """Return a pool without the files of which a picture looks like a held-out one."""
        hashes = {one.sha256: one.phash for one in pool.pictures if one.kind != "cutout" and one.phash}
        held = {file for file, phash in hashes.items() if self._holds(phash)}
        return pool.where(lambda one: one.sha256 not in held)

    def _holds(self, phash: str) -> bool:
        known = self.known.hashes
        return bool(known) and int(hamming_distances(phash, known).min()) < self.at_least_bits


def hash_pictures(offers: Iterable[Offer]) -> HashList:
    """Hash the pictures of a benchmark, upright and as they look.

    Args:
        offers: What a source holds: a folder, a list, Parquet, WebDataset.

    Raises:
        DataError: A picture cannot be read, so that it could not be held out; or there is none.
    """
    pairs = sorted((perceptual_hash(picture), name) for offer in offers for name, picture in _pictures(offer))
    if not pairs:
        raise DataError(given="no picture", expected="the pictures of a benchmark", remedy="Check the path.")
    return HashList(hashes=tuple(digits for digits, _ in pairs), names=tuple(name for _, name in pairs))


def write_hash_list(known: HashList, path: Path) -> None:
    """Write a list of hashes, a line each: hash and name.

    Raises:
        DataError: The disk is full.
    """
    with written_whole(path) as part:
        lines = zip(known.hashes, known.names, strict=True)
        part.write_text("".join(f"{digits} {name}\n" for digits, name in lines), encoding="utf-8")


def read_hash_lists(paths: Iterable[Path]) -> HashList:
    """Read lists that :func:`write_hash_list` or any tool for ImageHash's ``phash`` wrote, as one.

    Raises:
        DataError: A file is absent, or a line does not begin with 16 hexadecimal digits.
    """
    lines = [line for path in paths for line in _read_lines(path)]
    return HashList(hashes=tuple(digits for digits, _ in lines), names=tuple(name for _, name in lines))


def _read_lines(path: Path) -> Iterator[tuple[str, str]]:
    if not path.is_file():
        raise DataError(
            given=f"{path}",
            expected="a list of hashes",
            remedy="Write one from the pictures with `step1x data hashes`.",
        )
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        digits, *name = line.split(maxsplit=1)
        if len(digits) != DIGITS or set(digits.lower()) - set("0123456789abcdef"):
            raise DataError(
                given=f"the line {line!r} of {path}",
                expected=f"{DIGITS} hexadecimal digits, then a name",
                remedy="Write the list again from the pictures with `step1x data hashes`.",
            )
        yield digits.lower(), name[0] if name else digits


def _pictures(offer: Offer) -> Iterator[tuple[str, Rgb]]:
    if isinstance(offer, Pooled):
        for picture, pixels in zip(offer.pictures, offer.pixels, strict=True):
            if picture.kind == "photo":
                yield picture.uri, pixels
    elif isinstance(offer, Candidate):
        try:
            yield offer.uri, np.asarray(read_reference(offer.data).rgb)
        except RequestError as error:
            raise _unusable(offer.uri, error.given) from error
    else:
        raise _unusable(offer.uri, offer.reason)


def _unusable(uri: str, why: str) -> DataError:
    return DataError(
        given=f"{uri} ({why})",
        expected="a picture, so that it can be held out",
        remedy="Take the broken file away, or mend it.",
    )
