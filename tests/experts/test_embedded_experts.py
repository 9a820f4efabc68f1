"""The embedded expert set: absent parts are said with the command that brings them, present ones answer as promised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image, ImageFilter
from real_parts import skip_without

from step1x_edit.errors import ExpertError, MissingExtra, RequestError
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.experts.expert_set import ExpertName, ExpertSet
from step1x_edit.experts.hole_filling import HoleFilling
from step1x_edit.experts.painting_styles import BUILT_IN_STYLES, PaintingStyles
from step1x_edit.experts.parts.table import expert_needs, parts
from step1x_edit.experts.perceptual_distance import PerceptualDistance
from step1x_edit.experts.salient_matte import SalientMatte


def grass(height: int = 96, width: int = 128) -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 60, (height, width, 1))
    return (np.array([40, 120, 30]) + noise).astype(np.uint8)


def ball_on_grass() -> tuple[np.ndarray, np.ndarray]:
    picture = grass()
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    ball = (rows - 50) ** 2 + (columns - 60) ** 2 < 18**2
    picture[ball] = (220, 30, 40)
    return picture, ball


CALLS: dict[ExpertName, Callable[[EmbeddedExperts], object]] = {
    "matte": lambda experts: experts.matte(grass()),
    "detect": lambda experts: experts.detect(grass()),
    "tag": lambda experts: experts.tag(grass()),
    "inpaint": lambda experts: experts.inpaint(*ball_on_grass()),
    "stylise": lambda experts: experts.stylise(grass(), "pastel"),
    "read_text": lambda experts: experts.read_text(grass()),
    "face_landmarks": lambda experts: experts.face_landmarks(grass()),
    "features": lambda experts: experts.features(grass()),
    "perceptual": lambda experts: experts.perceptual(grass(), grass()),
}


def test_the_embedded_set_fills_the_protocol():
    experts: ExpertSet = EmbeddedExperts()
    assert isinstance(experts, ExpertSet)


def test_every_call_but_ask_has_its_parts_in_the_table():
    assert set(CALLS) == set(get_args(ExpertName)) - {"ask"}
    assert set(CALLS) <= set(expert_needs())


@pytest.mark.parametrize("name", CALLS)
def test_an_absent_part_is_said_with_the_command_that_brings_it(name: ExpertName, tmp_path: Path):
    experts = EmbeddedExperts(tmp_path)
    assert not experts.available(name)
    with pytest.raises(MissingExtra, match=f"step1x data setup {name}`"):
        CALLS[name](experts)


def test_the_version_of_an_expert_is_known_without_its_part(tmp_path: Path):
    version = EmbeddedExperts(tmp_path).part("perceptual")
    assert version.part == "hed-vgg+lpips-linear"
    assert version.version == "2.0.0+0.1.4"
    assert version.licence == "MIT (trained on BSDS500) and BSD-2-Clause"


def test_a_part_that_lacks_one_file_is_not_available(tmp_path: Path):
    part = parts()["style-networks"]
    folder = tmp_path / f"{part.name}-{part.version}"
    folder.mkdir()
    for file in part.archives[0].files[:-1]:
        (folder / file.name).write_bytes(b"")
    assert not EmbeddedExperts(tmp_path).available("stylise")
    (folder / part.archives[0].files[-1].name).write_bytes(b"")
    assert EmbeddedExperts(tmp_path).available("stylise")


@pytest.mark.parametrize(
    "load",
    [
        SalientMatte,
        HoleFilling,
        lambda path: PaintingStyles(built_in=path, predictor=path, transformer=path),
        lambda path: PerceptualDistance(features=path, weights=path),
    ],
)
def test_a_spoilt_file_is_refused_with_the_command_that_brings_it_again(load, tmp_path: Path):
    (tmp_path / "spoilt").write_bytes(b"not a model" * 99)
    with pytest.raises(ExpertError, match="step1x data setup"):
        load(tmp_path / "spoilt")


def test_a_subject_is_cut_out(experts: EmbeddedExperts):
    skip_without(experts, "matte")
    picture, ball = ball_on_grass()
    matte = experts.matte(picture)
    assert matte.shape == ball.shape
    assert matte.min() >= 0 and matte.max() <= 1
    assert matte[ball].mean() > 0.8 and matte[~ball].mean() < 0.1


def test_a_hole_is_filled_from_its_surround_and_the_rest_is_bit_equal(experts: EmbeddedExperts):
    skip_without(experts, "inpaint")
    picture, ball = ball_on_grass()
    before = picture.copy()
    filled = experts.inpaint(picture, ball)
    assert np.array_equal(filled[~ball], picture[~ball]) and np.array_equal(picture, before)
    red, green, _ = filled[ball].mean(axis=0)
    assert green > 1.6 * red  # grass, nothing left of the ball
    assert filled[ball].std() > 10  # texture, not a smear


def test_the_same_hole_is_filled_the_same_way(experts: EmbeddedExperts):
    skip_without(experts, "inpaint")
    picture, ball = ball_on_grass()
    first = experts.inpaint(picture, ball)
    experts.inpaint(grass(80, 80), np.eye(80, dtype=bool).repeat(9, axis=1)[:, :80])
    assert np.array_equal(experts.inpaint(picture, ball), first)


def test_thin_strokes_are_drawn_inward_from_both_sides(experts: EmbeddedExperts):
    skip_without(experts, "inpaint")
    ramp = np.tile(np.linspace(0, 250, 64).astype(np.uint8)[:, None, None], (1, 64, 3))
    stroke = np.zeros((64, 64), dtype=bool)
    stroke[30:34, 5:60] = True
    filled = experts.inpaint(np.where(stroke[..., None], np.uint8(255), ramp), stroke)
    assert np.abs(filled[stroke].astype(int) - ramp[stroke]).max() < 16


def test_an_empty_mask_changes_nothing_and_a_full_one_is_refused(experts: EmbeddedExperts):
    skip_without(experts, "inpaint")
    assert np.array_equal(experts.inpaint(grass(), np.zeros((96, 128), dtype=bool)), grass())
    with pytest.raises(ExpertError, match="whole picture"):
        experts.inpaint(grass(), np.ones((96, 128), dtype=bool))


@pytest.mark.parametrize("shape", [(61, 83), (90, 40)])
def test_a_style_keeps_the_size_and_two_styles_differ(experts: EmbeddedExperts, shape: tuple[int, int]):
    skip_without(experts, "stylise")
    picture = ball_on_grass()[0][: shape[0], : shape[1]]
    painted = {name: experts.stylise(picture, name) for name in ("pastel", "blue etching")}
    assert all(one.shape == picture.shape and one.dtype == np.uint8 for one in painted.values())
    assert np.abs(painted["pastel"].astype(int) - painted["blue etching"]).mean() > 20


def test_a_picture_gives_its_style_without_giving_its_size(experts: EmbeddedExperts):
    skip_without(experts, "stylise")
    picture = ball_on_grass()[0]
    warm = np.full((70, 50, 3), (230, 150, 40), dtype=np.uint8)
    cold = np.full((70, 50, 3), (20, 60, 200), dtype=np.uint8)
    in_warm, in_cold = experts.stylise(picture, warm), experts.stylise(picture, cold)
    assert in_warm.shape == in_cold.shape == picture.shape
    assert in_warm[..., 2].mean() - in_warm[..., 0].mean() < in_cold[..., 2].mean() - in_cold[..., 0].mean()


def test_an_unknown_style_is_refused_with_the_known_ones(experts: EmbeddedExperts):
    skip_without(experts, "stylise")
    with pytest.raises(RequestError, match=r"'cubist'.*pastel"):
        experts.stylise(grass(), "cubist")


def test_built_in_styles_are_distinct():
    assert len(set(BUILT_IN_STYLES.values())) == len(BUILT_IN_STYLES) >= 12


def test_perceptual_distance_is_zero_for_equal_pictures_and_grows_with_blur(experts: EmbeddedExperts):
    skip_without(experts, "perceptual")
    picture = ball_on_grass()[0]
    blurred = [np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(sigma))) for sigma in (1, 3)]
    distances = [float(experts.perceptual(picture, other).mean()) for other in (picture, *blurred)]
    assert distances[0] == 0
    assert 0 < distances[1] < distances[2]


def test_perceptual_distance_lies_where_the_pictures_differ(experts: EmbeddedExperts):
    skip_without(experts, "perceptual")
    picture, ball = ball_on_grass()
    distance = experts.perceptual(picture, grass())
    assert distance.shape == ball.shape
    assert distance[ball].mean() > 5 * distance[:, 110:].mean()
