"""Holds whole pictures out, by the hash of their file, together with everything that looks like them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from step1x_edit.data_engine.sources.near_duplicates import look_alikes
from step1x_edit.schema.triplet import SourceKind, Split

__all__ = ["Facts", "split_of", "trained_pictures"]


class Facts(NamedTuple):
    """What the split of a picture depends on."""

    sha256: str
    """Of the file; a photograph, its subject and the cut-out made from it share one."""
    phash: str
    kind: SourceKind
    label: str | None


@cache
def trained_pictures() -> frozenset[str]:
    """Return the ids of the pictures that the embedded release nano was trained on (``trained.txt``)."""
    lines = Path(__file__).with_name("trained.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def split_of(pictures: Sequence[Facts], *, percent: int) -> list[Split]:
    """Return the split of each picture.

    A group (one file's pictures, and all that look alike) is held out when every file in it is by its own hash and none
    was in nano's training. What is held out therefore never grows by adding pictures, and a copy of a training picture
    is never tested on. A label all of whose cut-outs would be held out goes back to training: what was never shown
    cannot be asked for.

    Args:
        pictures: What the split depends on.
        percent: Share of files that are held out if they look like no other, 0 to 100.
    """
    groups = _groups(pictures)
    held: dict[int, bool] = {}
    for group, one in zip(groups, pictures, strict=True):
        mine = int(one.sha256[8:16], 16) % 100 < percent and one.sha256[:16] not in trained_pictures()
        held[group] = held.get(group, True) and mine
    trained = {
        one.label for group, one in zip(groups, pictures, strict=True) if one.kind == "cutout" and not held[group]
    }
    for group, one in zip(groups, pictures, strict=True):
        if one.kind == "cutout" and one.label is not None and one.label not in trained:
            held[group] = False
    return ["held_out" if held[group] else "train" for group in groups]


def _groups(pictures: Sequence[Facts]) -> list[int]:
    """Number groups so that neither a file nor a set of look-alikes is cut in two."""
    looks = look_alikes([one.phash for one in pictures]).tolist()
    roots = list(range(len(pictures)))

    def root(index: int) -> int:
        while roots[index] != index:
            roots[index] = roots[roots[index]]
            index = roots[index]
        return index

    first_of: dict[str, int] = {}
    for index, (one, look) in enumerate(zip(pictures, looks, strict=True)):
        for other in (look, first_of.setdefault(one.sha256, index)):
            low, high = sorted((root(index), root(other)))
            roots[high] = low
    return [root(index) for index in range(len(pictures))]
