"""Masks: run lengths for the record, growth by some pixels, the box around, and regions that hang together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from step1x_edit.errors import DataError
from step1x_edit.schema.triplet import Mask

__all__ = [
    "PixelBox",
    "box_around",
    "box_overlap",
    "decode_mask",
    "dilated",
    "encode_mask",
    "largest_region",
    "regions",
    "shared_area",
]

Pixels = Bool[np.ndarray, "height width"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelBox:
    """A box in pixels; right and bottom lie just outside it."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Its area in square pixels; 0 for a box that is turned inside out."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)


def encode_mask(mask: Pixels) -> Mask:
    """Write a mask as run lengths: row by row, alternating unchanged and changed, the first run may be 0."""
    flat = np.ascontiguousarray(mask).ravel()
    bounds = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]))
    runs = np.diff(bounds).tolist()
    return Mask(height=mask.shape[0], width=mask.shape[1], runs=(0, *runs) if flat.size and flat[0] else tuple(runs))


def decode_mask(record: Mask) -> Pixels:
    """Turn run lengths back into a mask.

    Raises:
        DataError: The runs do not add up to the mask's size.
    """
    runs = np.array(record.runs, dtype=np.int64)
    if runs.sum() != record.height * record.width or (runs < 0).any():
        raise DataError(
            given=f"a mask of {record.height} x {record.width} whose runs add up to {runs.sum()}",
            expected=f"runs that add up to {record.height * record.width}, none below 0",
            remedy="The record is damaged; make the triplet again.",
        )
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(record.height, record.width)


def dilated(mask: Pixels, *, radius_px: int) -> Pixels:
    """Grow a mask by a number of pixels in every direction, diagonals included (a square of 2 radius + 1)."""
    grown = mask
    for axis in (0, 1):
        left = radius_px
        while left > 0:
            # A mask grown by n consists of stretches of at least n + 1, even at the border: such a step leaves no gap.
            step = min(left, radius_px - left + 1)
            grown = _grown(grown, step, axis)
            left -= step
    return grown


def thinned(mask: Pixels, *, most: int) -> Pixels:
    """Keep every n-th pixel of a mask so that at most about so many remain: enough for a mean, and quick."""
    places = np.flatnonzero(mask)
    kept = np.zeros(mask.size, dtype=bool)
    kept[places[:: max(1, -(-places.size // most))]] = True
    return kept.reshape(mask.shape)


def _grown(mask: Pixels, step: int, axis: int) -> Pixels:
    """Join a mask with itself moved by ``step`` either way along an axis."""
    along = np.moveaxis(mask.copy(), axis, 0)
    source = np.moveaxis(mask, axis, 0)
    along[step:] |= source[: max(0, len(source) - step)]
    along[: max(0, len(source) - step)] |= source[step:]
    return np.moveaxis(along, 0, axis)


def box_around(mask: Pixels) -> PixelBox | None:
    """Return the smallest box around what is True, or None when nothing is."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    return PixelBox(left=int(columns[0]), top=int(rows[0]), right=int(columns[-1]) + 1, bottom=int(rows[-1]) + 1)


def shared_area(first: PixelBox, second: PixelBox) -> float:
    """Return the area two boxes share, in pixels."""
    return PixelBox(
        left=max(first.left, second.left),
        top=max(first.top, second.top),
        right=min(first.right, second.right),
        bottom=min(first.bottom, second.bottom),
    ).area


def box_overlap(first: PixelBox, second: PixelBox) -> float:
    """Return the area two boxes share over the area they cover together (IoU), 0..1."""
    shared = shared_area(first, second)
    together = first.area + second.area - shared
    return shared / together if together else 0.0


def regions(mask: Pixels) -> Int[np.ndarray, "height width"]:
    """Number the connected regions of a mask from 1; neighbours touch by side or corner, and 0 is outside.

    Works on runs of pixels in a row rather than on pixels: runs that touch are joined until nothing changes, and each
    round at least halves the way to a region's lowest run.
    """
    starts, stops, rows = _runs(mask)
    roots = _joined(len(starts), *_touching(starts, stops, rows))
    numbers = np.unique(roots, return_inverse=True)[1] + 1
    labels = np.zeros(mask.size + 1, dtype=np.int64)
    width = mask.shape[1]
    # The number is switched on at a run's start and off at its end; runs of one row never touch.
    np.add.at(labels, rows * width + starts, numbers)
    np.subtract.at(labels, rows * width + stops, numbers)
    return np.cumsum(labels[:-1]).reshape(mask.shape)


def largest_region(mask: Pixels) -> int:
    """Return the size in pixels of the largest connected region; 0 for an empty mask."""
    starts, stops, rows = _runs(mask)
    if not starts.size:
        return 0
    roots = _joined(len(starts), *_touching(starts, stops, rows))
    return int(np.bincount(roots, weights=stops - starts).max())


Runs = Int[np.ndarray, " runs"]


def _runs(mask: Pixels) -> tuple[Runs, Runs, Runs]:
    """Return first column, column after the last, and row of every run of True, row by row."""
    height, width = mask.shape
    edged = np.zeros((height, width + 2), dtype=bool)
    edged[:, 1:-1] = mask
    turns = np.flatnonzero(edged[:, 1:] != edged[:, :-1])
    rows, columns = np.divmod(turns, width + 1)
    return columns[::2], columns[1::2], rows[::2]


def _touching(starts: Runs, stops: Runs, rows: Runs) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """Return all pairs of runs (lower number first) that touch across two neighbouring rows."""
    wide = np.int64(1 << 32)
    # One sorted axis for all rows: a run above touches when it begins no later than one past our end and ends no earlier
    # than our start.
    first = np.searchsorted(rows * wide + stops, (rows - 1) * wide + starts, side="left")
    last = np.searchsorted(rows * wide + starts, (rows - 1) * wide + stops, side="right")
    counts = np.maximum(last - first, 0)
    below = np.repeat(np.arange(len(starts)), counts)
    within = np.arange(len(below)) - np.repeat(np.cumsum(counts) - counts, counts)
    return first[below] + within, below


def _joined(
    count: int, above: Int[np.ndarray, " pairs"], below: Int[np.ndarray, " pairs"]
) -> Int[np.ndarray, " count"]:
    """Return for every run the lowest run of its region."""
    roots = np.arange(count)
    while above.size:
        one, two = roots[above], roots[below]
        apart = one != two
        above, below, one, two = above[apart], below[apart], one[apart], two[apart]
        np.minimum.at(roots, np.maximum(one, two), np.minimum(one, two))
        while not np.array_equal(flat := roots[roots], roots):
            roots = flat
    return roots
