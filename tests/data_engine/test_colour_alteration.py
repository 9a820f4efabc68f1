"""Colour alteration: hue and chroma move, light and shade stay, soft edges keep to the photograph."""

from __future__ import annotations

import numpy as np
import pytest

from step1x_edit.data_engine.believable import believable_colours, paintable_colours
from step1x_edit.data_engine.instructions import colours
from step1x_edit.data_engine.objects import object_class
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.recipes.colour_alteration import alter_colour, recoloured
from step1x_edit.data_engine.resurfacing import cropped, resurfaced
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.measures.colour import to_oklab


def test_a_horse_is_believed_brown_but_not_turquoise_and_a_car_in_any_colour() -> None:
    horse = {one.name for one in believable_colours(object_class("horse"))}
    assert "brown" in horse
    assert "turquoise" not in horse
    assert believable_colours(object_class("car")) == paintable_colours(object_class("car"))
    assert not believable_colours(object_class("giraffe"))


@pytest.mark.parametrize("name", ["red", "blue", "yellow", "white", "black"])
def test_light_and_shade_stay_where_they_were(pool: Pool, name: str) -> None:
    scene = Stage(pool, size=96, split="train").photographed_subject(np.random.default_rng(1), recolourable=True)
    assert scene is not None
    part = cropped(scene.objects[0])
    ramp = np.linspace(60, 200, part.alpha.shape[0], dtype=np.float32)[:, None, None]
    shaded = type(part)(
        what=part.what, colour=np.broadcast_to(ramp * np.array([1, 0.3, 0.3], dtype=np.float32), part.colour.shape).copy(),
        alpha=np.ones_like(part.alpha), top=0, left=0, shadow=0.0,
    )  # fmt: skip
    painted = recoloured(shaded, colours()[name]).colour
    lightness = to_oklab(painted.astype(np.uint8))[..., 0].mean(axis=1)
    assert np.corrcoef(lightness, ramp[:, 0, 0])[0, 1] > 0.9


def test_a_soft_edge_is_changed_by_the_objects_share_alone(pool: Pool) -> None:
    scene = Stage(pool, size=96, split="train").photographed_subject(np.random.default_rng(1))
    assert scene is not None
    subject = scene.objects[0]
    same = resurfaced(scene, subject, cropped(subject).colour)
    assert np.array_equal(same.reference, same.target)
    other = resurfaced(scene, subject, cropped(subject).colour + 30)
    soft = (subject.alpha[..., 0] > 0.2) & (subject.alpha[..., 0] < 0.8) & (scene.background.max(axis=-1) < 220)
    moved = (other.target.astype(int) - other.reference)[soft].mean(axis=-1)
    assert np.abs(moved - 30 * subject.alpha[..., 0][soft]).max(initial=0) < 1.5


def test_a_pair_says_what_it_was_made_of(pool: Pool) -> None:
    stage = Stage(pool, size=64, split="train")
    for index in range(8):
        pair = alter_colour(stage, np.random.default_rng(index))
        assert isinstance(pair, EditPair)
        assert pair.stages
        assert pair.sources
        assert pair.boxes
        assert pair.wish.colour is colours()[pair.detail]
