"""Every fault that is put into a set of pairs is found, at its pair, and sound pairs are left in peace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_pairs import edited, mask_of, scene, table_rows, write_csv, write_folder
from PIL import Image, ImageEnhance, ImageFilter
from typer.testing import CliRunner

from step1x_edit.apps.cli import app
from step1x_edit.training.check import KINDS, PairReport, check_pairs
from step1x_edit.training.config import SourceConfig
from step1x_edit.training.pairs import open_pairs

SIZE = (160, 128)
BROKEN = 1
"""The pair that is spoilt."""


def checked(folder: Path, *, size_level: int = 128) -> PairReport:
    return check_pairs(open_pairs(SourceConfig(path=str(folder))), size_level=size_level)


def place(folder: Path, part: str) -> Path:
    return folder / part / f"{BROKEN}.png"


def moved(picture: Image.Image, right: float, down: float) -> Image.Image:
    """The scene by so many pixels beside, by the phases of its spectrum."""
    rows, columns = picture.height, picture.width
    phases = np.exp(-2j * np.pi * (np.fft.fftfreq(rows)[:, None] * down + np.fft.rfftfreq(columns)[None] * right))
    channels = [
        np.fft.irfft2(np.fft.rfft2(np.asarray(picture)[..., one].astype(float)) * phases, (rows, columns))
        for one in range(3)
    ]
    return Image.fromarray(np.stack(channels, axis=-1).round().clip(0, 255).astype(np.uint8))


def text(folder: Path, words: str) -> None:
    (folder / "target" / f"{BROKEN}.txt").write_text(words, encoding="utf-8")


def no_words(folder: Path) -> None:
    for file in folder.glob(f"target/{BROKEN}*.txt"):
        file.unlink()


def same_words_and_picture(folder: Path, *, target: bool) -> None:
    for file in folder.glob("*/0*"):
        if target or file.suffix == ".txt" or file.parent.name != "target":
            file.with_name(file.name.replace("0", str(BROKEN), 1)).write_bytes(file.read_bytes())


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:500])


FAULTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "no target": ("missing", lambda folder: place(folder, "target").unlink()),
    "no reference": ("missing", lambda folder: place(folder, "reference").unlink()),
    "cut off": ("unreadable", lambda folder: cut_off(place(folder, "target"))),
    "no words": ("no instruction", no_words),
    "twice the words": ("doubled instruction", lambda folder: text(folder, "Paint it red. Paint it red.")),
    "another target": ("doubled instruction", lambda folder: same_words_and_picture(folder, target=False)),
    "the same pair": ("duplicate", lambda folder: same_words_and_picture(folder, target=True)),
    "another shape": ("aspect", lambda folder: scene(1, (128, 128)).save(place(folder, "reference"))),
    "another size": ("size", lambda folder: scene(1, (320, 256)).save(place(folder, "reference"))),
    "mask of another shape": ("mask size", lambda folder: mask_of((128, 128)).save(place(folder, "mask"))),
    "black mask": ("empty mask", lambda folder: Image.new("L", SIZE).save(place(folder, "mask"))),
    "unedited": ("identical", lambda folder: scene(1, SIZE).save(place(folder, "target"))),
    "beside": ("shifted", lambda folder: moved(edited(scene(1, SIZE)), 0.7, -0.4).save(place(folder, "target"))),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_at_its_pair_and_nowhere_else(tmp_path, fault):
    kind, spoil = FAULTS[fault]
    folder = write_folder(tmp_path, 4, SIZE)
    spoil(folder)
    report = checked(folder)
    assert [(one.kind, one.origin) for one in report.findings] == [(kind, f"pair '{BROKEN}' of {folder.name}")]
    assert report.wrong == KINDS[kind].wrong
    assert report.findings[0].remedy.endswith(".")


def test_sound_pairs_are_left_in_peace(tmp_path):
    for masks in (True, False):
        folder = write_folder(tmp_path / str(masks), 4, SIZE, masks=masks)
        assert checked(folder).findings == ()


@pytest.mark.parametrize(
    "edit",
    [
        lambda picture: ImageEnhance.Brightness(picture).enhance(1.4),
        lambda picture: picture.convert("L").convert("RGB"),
        lambda picture: picture.filter(ImageFilter.FIND_EDGES),
        lambda picture: scene(77, picture.size),
        lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    ],
    ids=["brighter", "grey", "drawn", "another picture", "mirrored"],
)
def test_an_edit_of_the_whole_picture_is_no_shift(tmp_path, edit):
    folder = write_folder(tmp_path, 1, SIZE, masks=False)
    edit(scene(0, SIZE)).save(folder / "target" / "0.png")
    assert checked(folder).findings == ()


@pytest.mark.parametrize(("right", "down", "found"), [(0.2, 0.1, False), (0.0, 0.6, True), (2.0, 3.0, True)])
def test_half_a_pixel_is_the_bound(tmp_path, right, down, found):
    folder = write_folder(tmp_path, 1, SIZE, masks=False)
    moved(edited(scene(0, SIZE)), right, down).save(folder / "target" / "0.png")
    assert [one.kind for one in checked(folder).findings] == ["shifted"] * found


def test_small_pictures_are_noted_and_text_to_image_pairs_need_no_partner(tmp_path):
    folder = write_folder(tmp_path, 2, SIZE)
    write_csv(folder, [row | {"reference": "", "mask": ""} for row in table_rows(2)])
    assert checked(folder).findings == ()
    assert [one.kind for one in checked(folder, size_level=512).findings] == ["small", "small"]


def test_the_command_names_the_pair_and_leaves_with_6(tmp_path):
    folder = write_folder(tmp_path, 3, SIZE)
    sound = CliRunner().invoke(app, ["train", "check", str(folder), "--size-level", "128"])
    assert sound.exit_code == 0 and "3 pairs, 3 sound, 0 wrong" in sound.output
    place(folder, "target").unlink()
    wrong = CliRunner().invoke(app, ["train", "check", str(folder), "--size-level", "128"])
    assert wrong.exit_code == 6
    assert f"pair '{BROKEN}'" in wrong.output and "Put the picture there" in wrong.output
    told = CliRunner().invoke(app, ["train", "check", str(folder), "--json"])
    (report,) = json.loads(told.stdout)
    assert told.exit_code == 6 and report["pairs"] == 3 and report["counts"]["missing"] == 1
    assert report["findings"][0].keys() >= {"pair", "origin", "kind", "wrong", "what", "remedy"}


def test_the_command_checks_every_source_of_a_runs_config(tmp_path):
    write_folder(tmp_path / "first", 2, SIZE)
    write_folder(tmp_path / "second", 3, SIZE)
    config = tmp_path / "run.toml"
    config.write_text('[data]\nsources = [{ path = "first" }, { path = "second" }]\n', encoding="utf-8")
    told = CliRunner().invoke(app, ["train", "check", str(config), "--json"])
    assert told.exit_code == 0 and [one["pairs"] for one in json.loads(told.stdout)] == [2, 3]
    config.write_text('[data]\nsource = "first"\n', encoding="utf-8")
    assert CliRunner().invoke(app, ["train", "check", str(config)]).exit_code == 2


def test_the_command_says_what_it_cannot_read(tmp_path):
    result = CliRunner().invoke(app, ["train", "check", str(tmp_path / "absent")])
    assert result.exit_code == 6 and "Check the path" in result.output
