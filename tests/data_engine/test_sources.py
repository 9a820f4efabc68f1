"""Pictures come into the pool at its sizes, with mattes that fit other backgrounds."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_pool import figure, portrait
from PIL import Image

from step1x_edit.data_engine.sources.pixels import cropped_to_matte, reduced, with_matte
from step1x_edit.data_engine.sources.subjects import judge_matte


def test_a_photograph_is_reduced_to_its_short_side_and_never_enlarged() -> None:
    assert reduced(Image.new("RGB", (900, 640)), 320).size == (450, 320)
    assert reduced(Image.new("RGB", (200, 150)), 320).size == (200, 150)


def test_a_reduced_cutout_keeps_its_colour_up_to_the_edge() -> None:
    disc = np.zeros((200, 200, 4), dtype=np.uint8)
    disc[40:160, 40:160] = (200, 30, 30, 255)
    small = np.asarray(reduced(Image.fromarray(disc), 50))
    assert (small[small[..., 3] > 64][:, 0] > 190).all()


def test_a_cutout_is_cropped_to_what_can_be_seen() -> None:
    wide = np.zeros((100, 300, 4), dtype=np.uint8)
    wide[10:74, 200:248] = figure(0)
    wide[0, 0, 3] = 3  # dust that nobody sees
    found, alone = cropped_to_matte(wide, 224), cropped_to_matte(figure(0), 224)
    assert found is not None and alone is not None and np.array_equal(found, alone)
    assert cropped_to_matte(np.zeros((9, 9, 4), dtype=np.uint8), 224) is None


def test_under_a_soft_edge_the_subjects_own_colour_is_kept() -> None:
    photo, subject = portrait(0)
    hard = subject[..., 3].astype(np.float32) / 255
    soft = (hard + np.roll(hard, 2, axis=1) + np.roll(hard, -2, axis=1)) / 3
    rgba = with_matte(photo, soft)
    edge = (soft > 0.3) & (soft < 0.7) & (np.arange(120) < 80)[:, None]  # beside the red disc
    assert rgba[edge][:, 0].mean() > photo[edge][:, 0].mean()
    assert rgba[edge][:, 2].mean() < photo[edge][:, 2].mean()
    assert np.array_equal(rgba[soft >= 0.98][:, :3], photo[soft >= 0.98])


def drawn_matte(left: int, right: int, top: int = 30, bottom: int = 70) -> np.ndarray:
    matte = np.zeros((100, 100), dtype=np.float32)
    matte[top:bottom, left:right] = 1
    return matte


@pytest.mark.parametrize(
    ("matte", "subject", "whole", "scene"),
    [
        (drawn_matte(30, 70), True, True, False),
        (drawn_matte(0, 50), True, False, False),
        (drawn_matte(0, 100, 0, 100), False, False, False),
        (drawn_matte(0, 100, 0, 40), False, False, False),
        (drawn_matte(40, 50, 40, 50), False, False, True),
        (np.zeros((100, 100), dtype=np.float32), False, False, True),
        (0.5 * drawn_matte(20, 80), False, False, True),
        (drawn_matte(10, 40) + drawn_matte(60, 90), False, False, False),
    ],
    ids=["in the middle", "at one border", "everywhere", "at three borders", "tiny", "nothing", "undecided", "two"],
)
def test_a_matte_tells_whether_there_is_one_clear_subject(
    matte: np.ndarray, subject: bool, whole: bool, scene: bool
) -> None:
    verdict = judge_matte(matte)
    assert (verdict.subject, verdict.whole, verdict.scene) == (subject, whole, scene)
