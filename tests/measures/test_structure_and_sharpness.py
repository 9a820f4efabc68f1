"""Structure is seen through light and colour; blur and blocks are seen as what they are."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_pictures import as_jpeg, blurred, clouds, disc

from step1x_edit.measures.colour import luma
from step1x_edit.measures.sharpness import (
    NOISE_FINENESS,
    block_edges,
    fineness,
    laplacian_variance,
    ring_around,
    sharpness_ratio,
)
from step1x_edit.measures.structure import edge_agreement, gradient_correlation, ssim
from step1x_edit.measures.windows import window_means


@pytest.mark.parametrize("side_px", [1, 2, 5, 7, 12])
def test_window_means_are_those_of_every_window(side_px: int) -> None:
    values = np.random.default_rng(0).random((14, 19), dtype=np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(values, (side_px, side_px))
    assert np.allclose(window_means(values, side_px=side_px), windows.mean(axis=(2, 3)), atol=1e-6)


def test_ssim_is_that_of_the_field() -> None:
    rows, columns = np.mgrid[0:40, 0:56]
    first = ((rows * 7 + columns * 3) % 97 * 2.0 + 20).astype(np.float32)
    second = (first * 0.7 + ((rows * columns) % 13) * 3).astype(np.float32)
    # Reference value: scikit-image 0.26, `structural_similarity` with a 7 x 7 window and population covariance.
    assert ssim(first, second, peak=255) == pytest.approx(0.87877, abs=2e-4)


def test_ssim_of_a_part_sees_no_pixel_beyond_it() -> None:
    first, mask = luma(clouds(0)), disc()
    second = np.where(mask, first, 255 - first)
    assert ssim(first, second, where=mask) == pytest.approx(1)
    assert (ssim(first, second) or 1) < 0.6
    assert ssim(first, second, where=mask & ~mask) is None


def test_gradients_see_through_light_and_inversion_but_not_through_another_picture() -> None:
    first = luma(clouds(0))
    assert gradient_correlation(first, 255 - 0.5 * first) == pytest.approx(1)
    assert abs(gradient_correlation(first, luma(clouds(1))) or 0) < 0.2
    assert (gradient_correlation(first, luma(clouds(0, right_px=2))) or 0) < 0.6
    assert gradient_correlation(first, np.zeros_like(first)) is None


def test_edges_agree_with_themselves_and_by_chance_with_others() -> None:
    first = luma(clouds(0))
    assert edge_agreement(first, first) == pytest.approx(1)
    assert edge_agreement(first, 40 + 0.5 * first) == pytest.approx(1)
    assert abs(edge_agreement(first, luma(clouds(1))) or 0) < 0.1
    assert edge_agreement(first, np.zeros_like(first)) is None


def test_a_blurred_hole_is_told_from_a_sharp_one() -> None:
    picture, mask = clouds(2), disc(radius=0.2)
    smeared = np.where(mask[..., None], blurred(picture, 2.5), picture)
    ring = ring_around(mask, width_px=12)
    assert 0.5 < (sharpness_ratio(luma(picture), mask, ring) or 0) < 2
    assert (sharpness_ratio(luma(smeared), mask, ring) or 1) < 0.2
    assert sharpness_ratio(luma(picture), mask & ~mask, ring) is None


def test_fineness_knows_blur_but_not_contrast() -> None:
    grey = luma(clouds(0))
    own = fineness(grey)
    assert own is not None
    assert fineness(0.3 * grey + 50) == pytest.approx(own, rel=0.01)
    assert (fineness(luma(blurred(clouds(0)))) or 1) < 0.5 * own
    noise = np.random.default_rng(0).normal(0, 20, (400, 400)).astype(np.float32)
    assert fineness(noise) == pytest.approx(NOISE_FINENESS, rel=0.02)


def test_flat_parts_are_equally_fine_once_grain_is_thought_over_them() -> None:
    flat = np.full((32, 32), 90, dtype=np.float32)
    assert fineness(flat) is None
    assert fineness(flat, grain_levels=1) == NOISE_FINENESS
    assert laplacian_variance(flat) == 0


def test_block_edges_are_those_of_a_jpeg() -> None:
    picture = clouds(4)
    assert abs(block_edges(luma(picture))) < 0.05
    assert block_edges(luma(as_jpeg(picture, 60))) > 0.1
    assert block_edges(np.zeros((32, 32), dtype=np.float32)) == 0


def test_a_ring_lies_around_a_mask_and_leaves_the_gap() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    mask[15:25, 15:25] = True
    assert ring_around(mask, width_px=3).sum() == 16**2 - 10**2
    assert ring_around(mask, width_px=3, gap_px=2).sum() == 20**2 - 14**2
