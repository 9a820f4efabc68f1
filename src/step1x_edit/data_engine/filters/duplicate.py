"""Duplicates: attempts that made the same triplet, or nearly the same one from the same pictures and the same wish.

Which of two duplicates stays must not depend on which worker was quicker. So a triplet is compared with those of lower
attempt number that stay, when a run is finished and all of them are known; the answer is then the same for any number
of workers and after any interruption. Nearly the same are only triplets of one group: same source pictures, same task,
same wish.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from step1x_edit.errors import DataError
from step1x_edit.measures.hashing import hamming_distance

__all__ = ["DUPLICATE_BITS", "DuplicateWatch", "Look"]

DUPLICATE_BITS = 4
"""Pictures whose hashes differ in at most so many of 64 bits look the same when source and wish are the same too; a
re-encoded or rescaled copy differs in 0 to 4, another crop of the same photograph in 10 or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a triplet is known by when duplicates are looked for."""

    attempt: int
    uid: str
    source: str
    """Perceptual hash of the reference image, 16 hexadecimal digits."""
    target: str
    """That of the target."""
    group: tuple[str, ...]
    """Task, wish and source pictures."""


class DuplicateWatch:
    """Remembers what triplets look like and tells which ones repeat an earlier one. Holds a :class:`Look` a triplet.

    Args:
        near_until: Attempts from this number on may repeat an earlier one nearly, and stay. A run gives the first
            attempt that is still to be made: what comes after it cannot be judged yet.
    """

    def __init__(self, *, near_until: int) -> None:
        self._near_until = near_until
        self._uids: dict[str, int] = {}
        self._groups: defaultdict[tuple[str, ...], list[Look]] = defaultdict(list)
        self._last = -1

    def repeats(self, look: Look) -> int | None:
        """Return the attempt that a triplet repeats, or None, in which case it is remembered.

        Raises:
            DataError: The triplet's attempt number is not above that of the one before.
        """
        if look.attempt <= self._last:
            raise DataError(
                given=f"attempt {look.attempt} after attempt {self._last}",
                expected="attempts in rising order, so that the outcome depends on no worker's pace",
                remedy="Sort the triplets by their attempt number.",
            )
        self._last = look.attempt
        earlier = self._uids.get(look.uid)
        if earlier is None and look.attempt < self._near_until:
            earlier = self._nearly(look)
        if earlier is None:
            self._uids[look.uid] = look.attempt
        return earlier

    def _nearly(self, look: Look) -> int | None:
        group = self._groups[look.group]
        for other in group:
            distances = hamming_distance(look.source, other.source), hamming_distance(look.target, other.target)
            if max(distances) <= DUPLICATE_BITS:
                return other.attempt
        group.append(look)
        return None
