"""The global shift is found to a tenth of a pixel, whatever else was done to a picture."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_pictures import as_jpeg, blurred, clouds, disc

from step1x_edit.measures.shift import global_shift


def error(first: np.ndarray, second: np.ndarray, right: float, down: float, ignore: np.ndarray | None = None) -> float:
    shift = global_shift(first, second, ignore=ignore)
    assert shift is not None
    return float(np.hypot(shift.right_px - right, shift.down_px - down))


@pytest.mark.parametrize(("right", "down"), [(0.0, 0.0), (0.3, 0.0), (0.0, -0.3), (1.0, 0.0), (-2.4, 3.7)])
@pytest.mark.parametrize("seed", range(3))
def test_a_shift_is_found_to_a_tenth_of_a_pixel(seed: int, right: float, down: float) -> None:
    first, second = clouds(seed), clouds(seed, right_px=right, down_px=down)
    assert error(first, second, right, down) < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_an_edited_part_that_is_ignored_does_not_disturb(seed: int) -> None:
    mask = disc()
    edited = clouds(seed, right_px=0.3)
    edited[mask] = clouds(seed + 50)[mask]
    assert error(clouds(seed), edited, 0.3, 0, ignore=mask) < 0.1
    kept_only = np.where(mask[..., None], clouds(seed, right_px=0.3), clouds(seed + 50))
    assert error(clouds(seed), kept_only, 0.3, 0, ignore=~mask) < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_light_blur_and_compression_do_not_disturb(seed: int) -> None:
    first, second = clouds(seed), clouds(seed, right_px=-0.3)
    darker = (second * 0.4 + 10).astype(np.uint8)
    for changed in (darker, blurred(second), as_jpeg(second, 60)):
        assert error(first, changed, -0.3, 0) < 0.1


def test_where_nothing_can_be_seen_there_is_no_shift() -> None:
    flat = np.full((64, 64, 3), 90, dtype=np.uint8)
    assert global_shift(flat, flat) is None
    everything = np.ones((256, 256), dtype=bool)
    assert global_shift(clouds(0), clouds(0), ignore=everything) is None


def test_pictures_need_not_be_square() -> None:
    assert error(clouds(1)[40:200], clouds(1, down_px=0.5)[40:200], 0, 0.5) < 0.1
