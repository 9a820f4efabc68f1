"""Style transfer: a picture redrawn, each style in its own way, the content still there."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from drawn_pool import hills, portrait

from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.recipes import style_transfer
from step1x_edit.data_engine.recipes.style_transfer import restyle
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.styles import styles
from step1x_edit.data_engine.styling import DRAWN
from step1x_edit.errors import MissingExtra
from step1x_edit.experts.painting_styles import BUILT_IN_STYLES

pytest.importorskip("cv2", reason="the extra `data` is not installed")


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return portrait(2)[0][:120, :120]


def redrawn(name: str, picture: np.ndarray) -> np.ndarray:
    return DRAWN[name](picture, np.random.default_rng(0))


def test_every_style_has_names_in_both_languages_and_something_that_makes_it() -> None:
    assert len(styles()) >= 12
    for one in styles().values():
        assert one.en[0] == one.name
        assert one.zh
        assert one.painted in BUILT_IN_STYLES if one.painted else one.name in DRAWN
    assert {one.name for one in styles().values() if not one.painted} == set(DRAWN)


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawn_style_keeps_size_and_content_and_is_repeatable(picture: np.ndarray, name: str) -> None:
    first = redrawn(name, picture)
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, redrawn(name, picture))
    assert np.abs(first.astype(int) - picture).mean() > 4
    # Smoothed, light and dark lie where they lay.
    before, after = (
        one[:120, :120].reshape(12, 10, 12, 10, 3).mean(axis=(1, 3, 4)).ravel() for one in (picture, first)
    )
    assert abs(np.corrcoef(before, after)[0, 1]) > 0.4


@pytest.mark.parametrize("name", ["pencil sketch", "ink drawing"])
def test_pencil_and_ink_have_no_colour(picture: np.ndarray, name: str) -> None:
    assert np.ptp(redrawn(name, picture), axis=-1).max() == 0


def test_pixel_art_is_squares_of_few_colours() -> None:
    art = redrawn("pixel art", np.repeat(np.repeat(hills(1)[:72, :72], 4, axis=0), 4, axis=1))
    assert len(np.unique(art.reshape(-1, 3), axis=0)) <= 24
    assert np.array_equal(art[::4, ::4], art[3::4, 3::4])


def test_a_poster_has_few_colours(picture: np.ndarray) -> None:
    assert len(np.unique(redrawn("poster", picture).reshape(-1, 3), axis=0)) <= 10


def test_without_the_expert_only_drawn_styles_are_made(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    # The drawn hills are plainer than photographs.
    monkeypatch.setattr(style_transfer, "LEAST_DETAIL", 0.009)
    stage = Stage(pool, size=64, split="train")
    pairs = [restyle(stage, np.random.default_rng(index)) for index in range(20)]
    made = [one for one in pairs if isinstance(one, EditPair)]
    assert len(made) > 10
    for pair in made:
        assert pair.detail in DRAWN
        assert pair.wish.style is styles()[pair.detail]
        assert pair.changed.all()


def test_a_plain_picture_is_refused_with_the_measured_detail(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(pool, size=64, split="train")
    plain = np.full((64, 64, 3), 120, dtype=np.uint8)
    monkeypatch.setattr(Stage, "_resized", lambda self, square: np.dstack([plain, plain])[..., : square.shape[-1]])
    refusals = [one for index in range(12) if isinstance(one := restyle(stage, np.random.default_rng(index)), Refusal)]
    assert refusals
    assert all(one.value is not None and one.threshold is not None and one.value < one.threshold for one in refusals)


def test_without_opencv_the_extra_is_named(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtra, match=r"step1x-edit\[data\]"):
        redrawn("cartoon", picture)
