"""Groups pictures that look alike, so that a split never has one of them on either side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt64

__all__ = ["CLOSE_BITS", "look_alikes"]

CLOSE_BITS = 6
"""Perceptual hashes (64 bits) that differ in at most so many bits belong to near-duplicates."""
BANDS = CLOSE_BITS + 1
"""Two hashes that differ in six bits agree in at least one of seven bands."""


def look_alikes(hashes: Sequence[str]) -> Int[np.ndarray, " pictures"]:
    """Number groups of pictures whose hashes are close, directly or through others in between.

    Args:
        hashes: Perceptual hashes, 16 hexadecimal digits each.

    Returns:
        For each picture the lowest index of its group. The grouping does not depend on the order.
    """
    values = np.array([int(text, 16) for text in hashes], dtype=np.uint64)
    unique, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    roots = np.arange(len(unique))
    for band in range(BANDS):
        _join_band(unique, _band(unique, band), roots)
    groups = np.array([_root(roots, index) for index in range(len(unique))], dtype=np.int64)
    lowest = np.full(len(unique), len(values), dtype=np.int64)
    np.minimum.at(lowest, groups, first)
    return lowest[groups][inverse]


def _band(values: UInt64[np.ndarray, " unique"], band: int) -> UInt64[np.ndarray, " unique"]:
    start, stop = (64 * edge // BANDS for edge in (band, band + 1))
    return values >> np.uint64(start) & np.uint64((1 << (stop - start)) - 1)


def _join_band(
    values: UInt64[np.ndarray, " unique"], keys: UInt64[np.ndarray, " unique"], roots: Int[np.ndarray, " unique"]
) -> None:
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    for bucket in np.split(order, edges):
        for position, one in enumerate(bucket[:-1]):
            others = bucket[position + 1 :]
            close = np.bitwise_count(values[others] ^ values[one]) <= CLOSE_BITS
            for other in others[close]:
                high, low = sorted((_root(roots, int(one)), _root(roots, int(other))), reverse=True)
                roots[high] = low


def _root(roots: Int[np.ndarray, " unique"], index: int) -> int:
    while roots[index] != index:
        roots[index] = roots[roots[index]]
        index = int(roots[index])
    return index
