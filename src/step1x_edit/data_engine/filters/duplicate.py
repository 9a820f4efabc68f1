"""Duplicates: attempts that made nearly the same triplet from the same pictures and the same wish.

Which of two duplicates stays must not depend on which worker was quicker. So a triplet is compared not with "those kept
so far" but with those of lower attempt number, and only within its own group: same source pictures, same task, same
wish. A run feeds the watch in the order of attempt numbers when it seals its shards; the answer is then the same for
any number of workers and after any interruption.
"""

from __future__ import annotations

from collections import defaultdict

from step1x_edit.errors import DataError
from step1x_edit.measures.hashing import hamming_distance
from step1x_edit.schema.triplet import EditTriplet

__all__ = ["DUPLICATE_BITS", "DuplicateWatch"]

DUPLICATE_BITS = 4
"""Pictures whose hashes differ in at most so many of 64 bits look the same when source and wish are the same too; a
re-encoded or rescaled copy differs in 0 to 4, another crop of the same photograph in 10 or more."""


class DuplicateWatch:
    """Remembers what triplets look like and tells which ones repeat an earlier one. Holds two hashes a triplet."""

    def __init__(self) -> None:
        self._groups: defaultdict[tuple[str, ...], list[tuple[str, str, int]]] = defaultdict(list)
        self._last = -1

    def repeats(self, record: EditTriplet) -> int | None:
        """Return the attempt that a triplet repeats, or None, in which case it is remembered.

        Raises:
            DataError: The triplet's attempt number is not above that of the one before.
        """
        attempt = record.provenance.attempt
        if attempt <= self._last:
            raise DataError(
                given=f"attempt {attempt} after attempt {self._last}",
                expected="attempts in rising order, so that the outcome depends on no worker's pace",
                remedy="Sort the triplets by their attempt number.",
            )
        self._last = attempt
        group = self._groups[_group(record)]
        for source, target, earlier in group:
            distances = hamming_distance(source, record.source.phash), hamming_distance(target, record.target.phash)
            if max(distances) <= DUPLICATE_BITS:
                return earlier
        group.append((record.source.phash, record.target.phash, attempt))
        return None


def _group(record: EditTriplet) -> tuple[str, ...]:
    wish = record.aux
    sources = sorted(record.provenance.sources)
    return (record.task, record.subtask, wish.subject, wish.detail, wish.place, *sources)
