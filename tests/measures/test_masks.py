"""Masks: run lengths lose nothing, growth and regions agree with the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step1x_edit.errors import DataError
from step1x_edit.measures.masks import (
    PixelBox,
    box_around,
    box_overlap,
    decode_mask,
    dilated,
    encode_mask,
    largest_region,
    regions,
)
from step1x_edit.schema.triplet import Mask


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    density = draw(st.sampled_from([0.0, 0.1, 0.4, 0.6, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 10**6))).random((height, width)) < density


def flooded(mask: np.ndarray) -> np.ndarray:
    """Regions the slow way: pour into every pixel that is still dry."""
    labels = np.zeros(mask.shape, dtype=int)
    for start in zip(*np.nonzero(mask), strict=True):
        if labels[start]:
            continue
        number, waiting = labels.max() + 1, [start]
        while waiting:
            row, column = waiting.pop()
            if mask[row, column] and not labels[row, column]:
                labels[row, column] = number
                around = [(row + down, column + across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
                waiting += [at for at in around if 0 <= at[0] < mask.shape[0] and 0 <= at[1] < mask.shape[1]]
    return labels


@given(masks())
@settings(max_examples=60, deadline=None)
def test_run_lengths_give_the_mask_back(mask: np.ndarray) -> None:
    record = encode_mask(mask)
    assert sum(record.runs) == mask.size
    assert all(run > 0 for run in record.runs[1:])
    assert np.array_equal(decode_mask(record), mask)


def test_the_first_run_is_unchanged_pixels_and_may_be_none() -> None:
    assert encode_mask(np.array([[True, True, False]])).runs == (0, 2, 1)
    assert encode_mask(np.array([[False, True, True]])).runs == (1, 2)


@pytest.mark.parametrize("runs", [(1, 2), (2, 9, -5), ()])
def test_runs_that_do_not_add_up_are_refused(runs: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="expected runs that add up to 6"):
        decode_mask(Mask(height=2, width=3, runs=runs))


@given(masks())
@settings(max_examples=60, deadline=None)
def test_regions_are_those_that_water_would_fill(mask: np.ndarray) -> None:
    ours, slow = regions(mask), flooded(mask)
    assert ours.max(initial=0) == slow.max(initial=0)
    assert len({*zip(ours.ravel().tolist(), slow.ravel().tolist(), strict=True)}) == slow.max(initial=0) + (
        not mask.all()
    )
    assert largest_region(mask) == max(np.bincount(slow.ravel())[1:], default=0)


def test_regions_touch_by_corners() -> None:
    assert largest_region(np.eye(9, dtype=bool)) == 9


@given(masks(), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_growth_reaches_exactly_its_radius_in_both_directions(mask: np.ndarray, radius: int) -> None:
    wanted = np.zeros_like(mask)
    for row, column in zip(*np.nonzero(mask), strict=True):
        wanted[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1] = True
    assert np.array_equal(dilated(mask, radius_px=radius), wanted)


def test_a_box_lies_tightly_around_a_mask() -> None:
    mask = np.zeros((8, 10), dtype=bool)
    assert box_around(mask) is None
    mask[2:5, 3:9] = True
    assert box_around(mask) == PixelBox(left=3, top=2, right=9, bottom=5)


def test_overlap_of_boxes_is_shared_area_over_joint_area() -> None:
    box = PixelBox(left=0, top=0, right=4, bottom=4)
    assert box_overlap(box, box) == 1
    assert box_overlap(box, PixelBox(left=2, top=0, right=6, bottom=4)) == pytest.approx(1 / 3)
    assert box_overlap(box, PixelBox(left=9, top=9, right=10, bottom=10)) == 0
