"""``step1x data sources``, driven whole over a user's own pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from step1x_edit.apps.cli import app
from step1x_edit.data_engine.pool import Pool


def step1x(*arguments: object):
    return CliRunner().invoke(app, ["data", "sources", *(str(argument) for argument in arguments)])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        blocks = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(np.kron(blocks, np.ones((40, 40, 1), dtype=np.uint8))).save(folder / f"{number}.png")
    (folder / "letter.jpg").write_text("no picture")
    return folder


def test_own_pictures_become_a_pool_and_what_is_refused_is_told(pictures: Path, tmp_path: Path) -> None:
    answer = step1x(pictures, "--out", tmp_path / "pool", "--no-mattes", "--short-side", 128)
    assert answer.exit_code == 0, answer.output
    assert "3 files: 3 photographs" in answer.stdout
    assert "1 of 4 were refused" in answer.stderr
    pool = Pool.open(tmp_path / "pool")
    assert {(one.height, one.width, one.dataset, one.licence) for one in pool.pictures} == {
        (128, 171, "pictures", "unknown")
    }


def test_permissive_only_takes_no_picture_of_unknown_licence(pictures: Path, tmp_path: Path) -> None:
    answer = step1x(pictures, "--out", tmp_path / "pool", "--no-mattes", "--permissive-only")
    assert answer.exit_code == 6
    assert "at least one picture" in answer.stderr


def test_the_list_of_packages_needs_no_network() -> None:
    answer = step1x("--list")
    assert answer.exit_code == 0
    assert "fluent-emoji-3d" in answer.stdout and "MIT" in answer.stdout and "MB to download" in answer.stdout
    assert "tuxpaint-stamps" not in step1x("--list", "--permissive-only").stdout


def test_own_pictures_without_a_place_or_matting_part_and_a_wrong_path_are_one_line(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEP1X_PARTS", str(tmp_path / "no parts"))
    for code, words, arguments in (
        (2, "--out DIR", [pictures]),
        (3, "step1x data setup matte", [pictures, "--out", tmp_path / "pool"]),
        (6, "Check the path", [pictures / "nowhere", "--out", tmp_path / "pool"]),
    ):
        answer = step1x(*arguments)
        assert (answer.exit_code, words in answer.stderr) == (code, True), answer.output
        assert len(answer.stderr.splitlines()) == 1
