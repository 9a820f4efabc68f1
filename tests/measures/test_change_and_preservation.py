"""Change, preservation and edit gain, on pictures whose numbers can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_pictures import as_jpeg, clouds, disc

from step1x_edit.errors import DataError
from step1x_edit.measures.change import blob_share, changed_area, changed_pixels, mean_difference
from step1x_edit.measures.edit_gain import edit_gain, summarised
from step1x_edit.measures.preservation import BIT_EQUAL_DB, mean_where, outside, psnr
from step1x_edit.measures.structure import ssim


def grey_square(level: int) -> np.ndarray:
    return np.full((16, 16, 3), level, dtype=np.uint8)


def test_a_pixel_counts_as_changed_when_any_channel_differs_by_more_than_the_threshold() -> None:
    first, second = grey_square(100), grey_square(100)
    second[0, 0, 2], second[1, 1, 0], second[2, 2] = 59, 141, 140
    changed = changed_pixels(first, second, above_levels=40)
    assert changed[0, 0]
    assert changed[1, 1]
    assert changed.sum() == 2
    assert changed_area(changed) == 2 / 256
    assert np.array_equal(changed, changed_pixels(second, first, above_levels=40))


def test_an_edit_hangs_together_and_noise_does_not() -> None:
    noise = np.random.default_rng(0).random((256, 256)) < 0.02
    assert blob_share(disc()) == 1
    assert blob_share(noise) < 0.01
    assert blob_share(np.zeros((8, 8), dtype=bool)) == 0


def test_mean_difference_is_between_nothing_and_black_to_white() -> None:
    assert mean_difference(grey_square(7), grey_square(7)) == 0
    assert mean_difference(grey_square(0), grey_square(255)) == 1
    assert mean_difference(grey_square(0), grey_square(255), where=np.zeros((16, 16), dtype=bool)) == 0


def test_psnr_is_that_of_the_definition_and_100_where_bit_equal() -> None:
    everywhere = np.ones((16, 16), dtype=bool)
    assert psnr(grey_square(100), grey_square(110), where=everywhere) == pytest.approx(20 * np.log10(255 / 10))
    assert psnr(grey_square(100), grey_square(100), where=everywhere) == BIT_EQUAL_DB
    assert psnr(grey_square(100), grey_square(110), where=~everywhere) is None


def test_an_edit_inside_its_mask_leaves_the_outside_perfect() -> None:
    reference, mask = clouds(0), disc()
    target = reference.copy()
    target[mask] = 255 - target[mask]
    grey = [picture.mean(axis=-1, dtype=np.float32) for picture in (reference, target)]
    assert psnr(reference, target, where=outside(mask)) == BIT_EQUAL_DB
    assert ssim(*grey, where=outside(mask)) == pytest.approx(1)
    spoilt = as_jpeg(target, 60)
    assert (psnr(reference, spoilt, where=outside(mask)) or 0) < 40


def test_the_outside_begins_a_margin_away_from_the_mask() -> None:
    mask = np.zeros((128, 128), dtype=bool)
    mask[60:70, 60:70] = True
    assert (~outside(mask)).sum() == 14 * 14


def test_a_map_of_distance_is_averaged_where_asked() -> None:
    distance = np.arange(16, dtype=np.float32).reshape(4, 4)
    where = distance > 13
    assert mean_where(distance, where) == 14.5
    assert mean_where(distance, where & ~where) is None


def test_edit_gain_is_one_for_the_target_and_nothing_for_leaving_the_picture() -> None:
    reference, target, mask = grey_square(50), grey_square(150), np.ones((16, 16), dtype=bool)
    assert edit_gain(target, reference=reference, target=target, mask=mask) == 1
    assert edit_gain(reference, reference=reference, target=target, mask=mask) == 0
    assert edit_gain(grey_square(100), reference=reference, target=target, mask=mask) == 0.75
    assert edit_gain(grey_square(0), reference=reference, target=target, mask=mask) == -1


def test_edit_gain_looks_only_inside_the_mask() -> None:
    mask = np.zeros((16, 16), dtype=bool)
    mask[:8] = True
    result = grey_square(150)
    result[8:] = 3
    assert edit_gain(result, reference=grey_square(50), target=grey_square(150), mask=mask) == 1


def test_edit_gain_refuses_a_case_that_asks_for_nothing() -> None:
    same = grey_square(50)
    with pytest.raises(DataError, match="Leave the case out"):
        edit_gain(same, reference=same, target=same, mask=np.ones((16, 16), dtype=bool))


def test_gains_are_summed_up_by_mean_and_median() -> None:
    summary = summarised([1.0, 0.5, -1.0, 0.1])
    assert summary is not None
    assert (summary.mean, summary.median, summary.cases) == (pytest.approx(0.15), pytest.approx(0.3), 4)
    assert summarised([]) is None
