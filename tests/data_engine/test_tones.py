"""The looks: each does to light what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_pool import hills

from step1x_edit.data_engine.colour import from_linear, from_oklab, to_linear, to_oklab
from step1x_edit.data_engine.instructions import phrase_keys
from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.tones import TONES, apply_tone, foliage_share


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return hills(1)[:120, :120]


@pytest.mark.parametrize("name", TONES)
def test_a_look_keeps_the_size_and_changes_the_picture(picture: np.ndarray, name: str) -> None:
    changed = apply_tone(name, picture)
    assert changed.shape == picture.shape
    assert changed.dtype == np.uint8
    assert np.abs(changed.astype(int) - picture).mean() > 5


def test_night_is_dark_and_blue(picture: np.ndarray) -> None:
    red, _, blue = apply_tone("night", picture).reshape(-1, 3).mean(axis=0)
    assert red < blue < 110


def test_warm_and_cold_pull_red_and_blue_apart_in_opposite_ways(picture: np.ndarray) -> None:
    def blueness(pixels: np.ndarray) -> float:
        return float(pixels[..., 2].mean() - pixels[..., 0].mean())

    assert blueness(apply_tone("warm", picture)) < blueness(picture) < blueness(apply_tone("cold", picture))


def test_black_and_white_has_no_colour(picture: np.ndarray) -> None:
    assert np.ptp(apply_tone("black and white", picture), axis=-1).max() == 0


def test_fog_hides_the_far_more_than_the_near(picture: np.ndarray) -> None:
    foggy = apply_tone("fog", np.full_like(picture, 40))
    assert foggy[0].mean() > foggy[-1].mean() > 80


def test_autumn_takes_the_green_out_of_plants(picture: np.ndarray) -> None:
    assert foliage_share(apply_tone("autumn", picture)) < 0.3 * foliage_share(picture)


def test_every_look_in_the_mixture_can_be_made_and_worded() -> None:
    undone = {"clear", "day"}
    for name in mixture().tones:
        assert name in TONES or name in undone
        assert f"tone_transfer-{name.replace(' ', '-')}" in phrase_keys()


def test_colour_spaces_lead_back_to_every_level() -> None:
    levels = np.arange(256, dtype=np.uint8)
    grey = np.stack([levels, levels[::-1], np.roll(levels, 85)], axis=-1)
    assert np.array_equal(from_linear(to_linear(grey)), grey)
    assert np.abs(from_oklab(to_oklab(grey)).astype(int) - grey).max() <= 1
