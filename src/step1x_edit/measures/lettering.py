"""Lettering: how much of a wanted text is among what was read."""

from __future__ import annotations

import unicodedata

import numpy as np

__all__ = ["plain_text", "read_back"]


def plain_text(text: str) -> str:
    """Return letters and digits alone, in one width and case: what a reader of pictures can be held to."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


def read_back(wanted: str, read: str) -> float | None:
    """Return how well the best stretch of a read text agrees with a wanted one, 0..1; 1 is letter by letter.

    Args:
        wanted: The text that should be there.
        read: All that was read, line by line.

    Returns:
        1 - edits / letters of the wanted text, at least 0, where edits are letters to add, drop or swap in the stretch that
        needs fewest; ``None`` where the wanted text has no letter or digit.

    Source:
        P. Sellers, "The theory and computation of evolutionary distances: pattern recognition" (1980).
    """
    pattern, text = plain_text(wanted), plain_text(read)
    if not pattern:
        return None
    # Row by row over the wanted letters; a stretch may begin anywhere (a first row of zeros) and end anywhere.
    row = np.zeros(len(text) + 1, dtype=np.int64)
    places = np.arange(len(text) + 1)
    for number, letter in enumerate(pattern, start=1):
        swapped = row[:-1] + np.array([letter != other for other in text], dtype=np.int64)
        best = np.concatenate([[number], np.minimum(swapped, row[1:] + 1)])
        # Letters that were read and are not wanted: one edit each, carried along the row.
        row = np.minimum.accumulate(best - places) + places
    return max(0.0, 1 - float(row.min()) / len(pattern))
