"""Colour differences agree with the published ones; hues, chroma and tone point the way people say."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_pictures import clouds

from step1x_edit.measures.colour import (
    ciede2000,
    colour_difference,
    colour_statistics,
    hue_distance,
    lightness,
    to_cielab,
)
from step1x_edit.measures.tone import tone_direction, tone_of

# Part of the test data of Sharma, Wu and Dalal (2005): the pairs that catch wrong mean hues, greys and rotations.
PUBLISHED = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
    ((50.0, -0.001, 2.49), (50.0, 0.0009, -2.49), 4.8045),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("first", "second", "expected"), PUBLISHED)
def test_colour_differences_are_those_published(first: tuple, second: tuple, expected: float) -> None:
    one, two = (np.array([values], dtype=np.float32) for values in (first, second))
    assert float(ciede2000(one, two)[0]) == pytest.approx(expected, abs=1e-3)
    assert float(ciede2000(two, one)[0]) == pytest.approx(expected, abs=1e-3)


def test_cielab_of_known_colours() -> None:
    # Reference values: scikit-image 0.26, `rgb2lab`.
    colours = np.array([[255, 0, 0], [10, 20, 30], [200, 180, 40]], dtype=np.uint8)
    expected = [[53.241, 80.092, 67.203], [5.948, -0.669, -8.136], [72.943, -7.045, 67.628]]
    assert np.allclose(to_cielab(colours), expected, atol=0.02)
    assert np.allclose(lightness(colours), np.array(expected)[:, 0], atol=0.02)


def test_black_and_white_are_a_hundred_apart_and_a_colour_is_no_way_from_itself() -> None:
    black, white = np.zeros((1, 3), dtype=np.uint8), np.full((1, 3), 255, dtype=np.uint8)
    assert float(colour_difference(black, white)[0]) == pytest.approx(100, abs=0.1)
    assert float(colour_difference(white, white)[0]) == 0


@pytest.mark.parametrize(("rgb", "hue"), [((220, 30, 30), 28), ((230, 210, 40), 103), ((40, 80, 220), 265)])
def test_statistics_tell_a_hue_inside_a_mask(rgb: tuple[int, int, int], hue: float) -> None:
    picture, mask = np.full((8, 8, 3), 128, dtype=np.uint8), np.zeros((8, 8), dtype=bool)
    mask[:4] = True
    picture[mask] = rgb
    found = colour_statistics(picture, mask)
    assert found is not None
    assert hue_distance(found.hue_degrees, hue) < 6
    assert found.hue_agreement == pytest.approx(1, abs=1e-3)
    grey = colour_statistics(picture, ~mask)
    assert grey is not None
    assert grey.chroma < 1e-3
    assert colour_statistics(picture, mask & ~mask) is None


def test_hues_are_compared_the_short_way_round() -> None:
    assert hue_distance(350, 10) == 20
    assert hue_distance(10, 350) == 20
    assert hue_distance(0, 180) == 180


def test_tone_moves_the_way_a_change_is_called() -> None:
    picture = clouds(3)
    darker = (picture * 0.5).astype(np.uint8)
    warmer = np.clip(picture * np.array([1.2, 1.0, 0.7]), 0, 255).astype(np.uint8)
    grey = np.repeat(picture[..., 1:2], 3, axis=-1)
    flatter = (0.4 * picture + 75).astype(np.uint8)
    assert tone_direction(picture, darker).luminance < -0.1
    assert tone_direction(picture, warmer).warmth > 0.03
    assert tone_direction(warmer, picture).warmth < -0.03
    assert tone_direction(picture, grey).saturation < -0.01
    assert tone_direction(picture, flatter).contrast < -0.05
    assert tone_of(picture, where=np.ones(picture.shape[:2], dtype=bool)) == tone_of(picture)
