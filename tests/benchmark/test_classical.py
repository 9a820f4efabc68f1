"""The classical editor follows tone, background and colour by rules, and leaves other wishes alone."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_cases import scene

from step1x_edit.benchmark.classical import ClassicalEditor


def edited(instruction: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    picture, mask = scene(3)
    return picture, ClassicalEditor().edit(picture, instruction, seed=0), mask


@pytest.mark.parametrize("instruction", ["Make it black and white.", "变成黑白照片"])
def test_black_and_white_is_grey(instruction: str) -> None:
    _, result, _ = edited(instruction)
    assert np.ptp(result.astype(int), axis=-1).max() <= 1


@pytest.mark.parametrize("instruction", ["make it night", "把照片变成夜晚"])
def test_night_is_darker(instruction: str) -> None:
    picture, result, _ = edited(instruction)
    assert result.mean() < 0.5 * picture.mean()


@pytest.mark.parametrize("instruction", ["change the background to blue", "把背景换成蓝色"])
def test_a_new_background_leaves_the_subject(instruction: str) -> None:
    picture, result, mask = edited(instruction)
    inner = mask & np.roll(mask, 5, 0) & np.roll(mask, -5, 0) & np.roll(mask, 5, 1) & np.roll(mask, -5, 1)
    assert np.array_equal(result[inner], picture[inner])
    assert np.abs(result[:8].astype(int) - (45, 90, 200)).max() <= 1


@pytest.mark.parametrize("instruction", ["paint the box blue", "把盒子涂成蓝色"])
def test_a_new_colour_leaves_the_background(instruction: str) -> None:
    picture, result, mask = edited(instruction)
    assert result[mask][:, 2].mean() > result[mask][:, 0].mean() + 60
    assert np.array_equal(result[:8], picture[:8])


@pytest.mark.parametrize("instruction", ["remove the box", "add a cat", "去掉盒子"])
def test_what_is_beyond_the_rules_is_left_alone(instruction: str) -> None:
    picture, result, _ = edited(instruction)
    assert np.array_equal(result, picture)
