"""The looks: each does to light what its name says."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from drawn_pool import hills

from step1x_edit.data_engine.instructions import Language
from step1x_edit.data_engine.instructions.wording import word
from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.recipes.tone_transformation import UNDONE
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.tones import TONES, apply_tone, foliage_share
from step1x_edit.data_engine.wish import Wish
from step1x_edit.measures.colour import from_linear, from_oklab, to_linear, to_oklab


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return hills(1)[:120, :120]


@pytest.mark.parametrize("name", TONES)
def test_a_look_keeps_the_size_and_changes_the_picture(picture: np.ndarray, name: str) -> None:
    changed = apply_tone(name, picture)
    assert changed.shape == picture.shape
    assert changed.dtype == np.uint8
    assert np.abs(changed.astype(int) - picture).mean() > (2 if name == "blur" else 5)


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


def test_rain_and_snow_haze_the_far_and_fall_the_same_way_every_time(picture: np.ndarray) -> None:
    dark = np.full_like(picture, 40)
    for name in ("rain", "snow"):
        fallen = apply_tone(name, dark)
        assert np.array_equal(fallen, apply_tone(name, dark))
        assert fallen[:20].mean() > fallen[-20:].mean()
        assert fallen.std(axis=1).mean() > 4


def test_muted_colours_and_an_overcast_sky_have_less_chroma(picture: np.ndarray) -> None:
    def chroma(pixels: np.ndarray) -> float:
        return float(np.linalg.norm(to_oklab(pixels)[..., 1:], axis=-1).mean())

    assert chroma(apply_tone("muted", picture)) < 0.5 * chroma(picture)
    assert chroma(apply_tone("overcast", picture)) < 0.8 * chroma(picture)


def test_every_look_in_the_mixture_can_be_made_and_worded() -> None:
    for name in (*mixture().tones, *mixture().more_tones):
        assert UNDONE.get(name, name) in TONES
        for language in get_args(Language):
            key = f"tone_transfer-{name.replace(' ', '-')}"
            assert word(Wish(key=key), language=language, rng=np.random.default_rng(0))


def test_the_plain_stage_keeps_to_its_own_looks(pool: Pool) -> None:
    assert set(Stage(pool, size=64, split="train").tones) == set(mixture().tones)
    assert not set(mixture().tones) & set(mixture().more_tones)


def test_colour_spaces_lead_back_to_every_level() -> None:
    levels = np.arange(256, dtype=np.uint8)
    grey = np.stack([levels, levels[::-1], np.roll(levels, 85)], axis=-1)
    assert np.array_equal(from_linear(to_linear(grey)), grey)
    assert np.abs(from_oklab(to_oklab(grey)).astype(int) - grey).max() <= 1
