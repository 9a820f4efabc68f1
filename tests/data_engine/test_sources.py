"""Pictures of packages come into the pool at its sizes, with mattes that fit other backgrounds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_pool import figure, portrait
from PIL import Image

from step1x_edit.data_engine.sources.pixels import cropped_to_matte, read_cutout, read_photo, with_matte
from step1x_edit.errors import MissingExtra
from step1x_edit.experts.salient_matte import SalientMatte


def test_a_photograph_is_reduced_to_a_short_side_of_320(tmp_path: Path) -> None:
    Image.new("L", (900, 640), 90).save(tmp_path / "wide.png")
    Image.new("RGB", (200, 150)).save(tmp_path / "small.png")
    assert read_photo(tmp_path / "wide.png").shape == (320, 450, 3)
    assert read_photo(tmp_path / "small.png").shape == (150, 200, 3)


def test_a_cutout_is_cropped_to_what_can_be_seen(tmp_path: Path) -> None:
    wide = np.zeros((100, 300, 4), dtype=np.uint8)
    wide[10:74, 200:248] = figure(0)
    wide[0, 0, 3] = 3  # dust that nobody sees
    Image.fromarray(wide).save(tmp_path / "stamp.png")
    assert np.array_equal(read_cutout(tmp_path / "stamp.png"), cropped_to_matte(figure(0)))


def test_under_a_soft_edge_the_subjects_own_colour_is_kept() -> None:
    photo, subject = portrait(0)
    hard = subject[..., 3].astype(np.float32) / 255
    soft = (hard + np.roll(hard, 2, axis=1) + np.roll(hard, -2, axis=1)) / 3
    rgba = with_matte(photo, soft)
    edge = (soft > 0.3) & (soft < 0.7) & (np.arange(120) < 80)[:, None]  # beside the red disc
    assert rgba[edge][:, 0].mean() > photo[edge][:, 0].mean()
    assert rgba[edge][:, 2].mean() < photo[edge][:, 2].mean()
    assert np.array_equal(rgba[soft >= 0.98][:, :3], photo[soft >= 0.98])


def test_without_onnxruntime_the_matting_expert_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"step1x-edit\[data\]"):
        SalientMatte(tmp_path)
