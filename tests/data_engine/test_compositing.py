"""Composites belong to their photograph: clean rims, its grain and sharpness, a shadow away from the light."""

from __future__ import annotations

import numpy as np
import pytest

from step1x_edit.data_engine.compositing.edges import clean_edges
from step1x_edit.data_engine.compositing.ground import ground_of
from step1x_edit.data_engine.compositing.light import Light, light_of
from step1x_edit.data_engine.compositing.settling import Surround, settled, surround_of
from step1x_edit.data_engine.compositing.shadow import cast_shadow
from step1x_edit.data_engine.compositing.texture import grain_of, softness_of
from step1x_edit.data_engine.objects import object_class
from step1x_edit.data_engine.scene import render

cv2 = pytest.importorskip("cv2", reason="compositing needs the extra `data`")
RED = np.array([200, 30, 30], dtype=np.float32)


def ball(side: int = 96, *, behind: tuple[int, int, int] = (0, 255, 0)) -> np.ndarray:
    """A red disc cut from a green picture: its soft rim still shows the green."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    alpha = np.clip((0.44 * side - np.hypot(x, y)) / 6 + 0.5, 0, 1)[..., None]
    colour = alpha * RED + (1 - alpha) * np.array(behind)
    return np.concatenate([colour, 255 * alpha], axis=-1).round().astype(np.uint8)


def scene(size: int = 192, *, grain: float = 3.0, blur: float = 0.0) -> np.ndarray:
    """A light sky over a darker field with posts, some blur, and grain on top of it."""
    picture = np.full((size, size, 3), (170, 190, 215), dtype=np.float32)
    picture[size // 2 :] = (120, 130, 90)
    picture[size // 3 : size // 2 + 20, 10::40] = 60
    picture = cv2.GaussianBlur(picture, (0, 0), blur) if blur else picture
    noise = np.random.default_rng(0).normal(0, grain, (size, size, 1))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def put(picture: np.ndarray, rgba: np.ndarray, *, stands: bool = True, surround: Surround | None = None):
    rng = np.random.default_rng(1)
    return settled(
        surround or surround_of(picture), rgba, object_class("ball"), top=60, left=50, stands=stands, rng=rng
    )


def test_the_rim_of_a_cut_out_shows_nothing_of_its_old_background() -> None:
    plain = np.zeros((96, 96, 3), dtype=np.uint8)

    def greenness(rgba: np.ndarray) -> float:
        alpha = rgba[..., 3:] / 255
        shown = alpha * rgba[..., :3] + (1 - alpha) * plain
        rim = (alpha[..., 0] > 0.02) & (alpha[..., 0] < 0.98)
        return float((shown[..., 1] - 30 * alpha[..., 0])[rim].mean())

    assert greenness(ball()) > 30
    assert greenness(clean_edges(ball())) < 4


def test_a_hair_too_thin_for_an_inside_keeps_its_own_colour() -> None:
    rgba = np.zeros((40, 40, 4), dtype=np.uint8)
    rgba[:, 20] = (90, 60, 20, 255)
    assert np.array_equal(clean_edges(rgba)[:, 20, :3], rgba[:, 20, :3])


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_grain_is_measured_as_it_was_made(sigma: float) -> None:
    assert grain_of(scene(grain=sigma).astype(np.float32)) == pytest.approx(sigma, rel=0.3)


def test_a_texture_of_lines_is_not_grain() -> None:
    assert grain_of(scene(grain=0.0).astype(np.float32)) < 0.5


def test_an_object_has_the_grain_of_its_photograph() -> None:
    placed = put(scene(grain=3.0), clean_edges(ball()))
    assert grain_of(placed.colour, placed.alpha[..., 0]) == pytest.approx(3.0, rel=0.25)
    calm = put(scene(grain=0.0), clean_edges(ball()))
    assert grain_of(calm.colour, calm.alpha[..., 0]) < 0.5


def test_softness_is_measured_as_it_was_made() -> None:
    for blur in (1.0, 1.5, 2.0):
        assert softness_of(scene(grain=0.0, blur=blur).astype(np.float32)) == pytest.approx(blur, rel=0.2)


def test_an_object_is_no_sharper_than_its_photograph() -> None:
    striped = ball(behind=(200, 30, 30))
    striped[:, ::12, :3] = 250
    detail = {}
    for blur in (0.0, 2.0):
        placed = put(scene(512, grain=0.0, blur=blur), striped)
        inside = placed.alpha[..., 0] == 1
        detail[blur] = np.abs(cv2.Laplacian(placed.colour, cv2.CV_32F))[inside].mean()
    assert detail[2.0] < 0.6 * detail[0.0]


def test_the_shadow_lies_on_the_side_away_from_the_light() -> None:
    alpha = clean_edges(ball())[..., 3:].astype(np.float32) / 255
    weights = {}
    for side in (-1.0, 1.0):
        shade = cast_shadow(alpha, Light(side=side, hardness=1.0))
        middle = -shade.right + alpha.shape[1] // 2
        weights[side] = shade.dark[:, middle:].sum() - shade.dark[:, :middle].sum()
    assert weights[-1.0] > 50 and weights[1.0] < -50


def test_a_shadow_is_darkest_at_the_feet_and_has_an_end() -> None:
    alpha = clean_edges(ball())[..., 3:].astype(np.float32) / 255
    shade = cast_shadow(alpha, Light(side=0.0, hardness=0.5))
    row, column = np.unravel_index(shade.dark[..., 0].argmax(), shade.dark.shape[:2])
    assert abs(row + shade.down - 90) < 8
    assert abs(column + shade.right - 48) < 12
    border = np.concatenate([shade.dark[0], shade.dark[-1], shade.dark[:, 0], shade.dark[:, -1]])
    assert not border.any()


def test_an_object_on_the_ground_darkens_it_and_one_in_the_air_does_not() -> None:
    picture = scene(grain=0.0)
    for stands in (True, False):
        placed = put(picture, clean_edges(ball()), stands=stands)
        bare = render(picture, [placed]).astype(int) - picture
        below = bare[157:161, 80:116].mean()
        assert below < -8 if stands else below == 0


def test_the_light_comes_from_the_brighter_side() -> None:
    ramp = np.linspace(60, 220, 128)[None, :, None] * np.ones((128, 1, 3))
    assert light_of(ramp.astype(np.uint8)).side > 0.3
    assert light_of(ramp[:, ::-1].astype(np.uint8)).side < -0.3


def test_a_dark_place_darkens_what_is_put_into_it() -> None:
    bright, dark = (put((scene() * factor).astype(np.uint8), clean_edges(ball())) for factor in (1.0, 0.25))
    mean = [(one.colour * one.alpha).sum() / one.alpha.sum() / 3 for one in (bright, dark)]
    assert mean[1] < mean[0] - 15


def test_ground_is_found_below_a_sky_and_not_on_a_wall() -> None:
    ground = ground_of(scene(grain=0.0))
    assert ground is not None
    assert ground.allows(0.5, 0.9) and not ground.allows(0.5, 0.2)
    assert ground_of(np.full((128, 128, 3), 150, dtype=np.uint8)) is None
