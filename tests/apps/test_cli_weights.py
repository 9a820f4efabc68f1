"""The commands around weights, driven whole: releases, inspect, convert, fetch, verify."""

import json

import pytest
import torch
import vector_weights
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner
from vector_weights import TINY

from step1x_edit.apps.cli import app
from step1x_edit.presets.releases import release_ids


def step1x(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def official(tmp_path):
    save_file(vector_weights.official_tiny(), tmp_path / "v1.0.safetensors")
    return tmp_path / "v1.0.safetensors"


@pytest.fixture
def sizes(tmp_path):
    (tmp_path / "sizes.json").write_text(json.dumps(TINY))
    return tmp_path / "sizes.json"


def test_releases_lists_all_with_licence_and_memory():
    answer = step1x("releases")
    assert answer.exit_code == 0
    assert all(release in answer.stdout for release in release_ids())
    assert "Apache-2.0" in answer.stdout and "49.8 GiB" in answer.stdout


def test_inspect_names_release_layout_type_and_parameters(official):
    answer = step1x("inspect", official)
    assert answer.exit_code == 0
    lines = dict(line.split(maxsplit=1) for line in answer.stdout.splitlines())
    assert lines["release"] == "v1.0" and lines["layout"] == "official" and lines["dtype"] == "F32"
    assert lines["parameters"] == "558,129" and lines["complete"] == "yes"


def test_inspect_says_what_is_missing_and_that_a_release_is_not_recorded(tmp_path):
    weights = vector_weights.fork_v1p1()
    weights.pop("x_embedder.bias")
    save_file(weights, tmp_path / "v1.1.safetensors")
    answer = step1x("inspect", tmp_path / "v1.1.safetensors")
    assert "not recorded, pass --release" in answer.stdout
    assert "no: 1 missing: x_embedder.bias" in answer.stdout
    assert step1x("inspect", tmp_path / "v1.1.safetensors", "--release", "v1.1").exit_code == 4


def test_a_broken_file_is_one_line_and_exit_code_4(official):
    official.write_bytes(official.read_bytes()[:-100])
    for arguments in (("inspect", official), ("convert", official, official.with_name("out.safetensors"))):
        answer = step1x(*arguments)
        assert answer.exit_code == 4
        assert answer.stderr.startswith("step1x: Given ") and answer.stderr.count("\n") == 1


def test_a_missing_file_is_exit_code_3(tmp_path):
    assert step1x("inspect", tmp_path / "none.safetensors").exit_code == 3


def test_convert_goes_there_and_back(official, sizes, tmp_path):
    there = step1x("convert", official, tmp_path / "folder", "--config", sizes)
    assert there.exit_code == 0 and "Written:" in there.stdout
    back = step1x("convert", tmp_path / "folder", tmp_path / "back.safetensors", "--to", "official")
    assert back.exit_code == 0
    assert load_file(tmp_path / "back.safetensors")["connector.scale_factor"].tolist() == [0.0]
    again = step1x("convert", tmp_path / "folder", tmp_path / "back.safetensors", "--to", "official")
    assert again.exit_code == 2 and "--force" in again.stderr


def test_a_target_that_cannot_be_written_is_one_line_and_exit_code_2(official, sizes, tmp_path):
    (tmp_path / "file").write_text("mine")
    answer = step1x("convert", official, tmp_path / "file" / "folder", "--config", sizes)
    assert answer.exit_code == 2 and "cannot be written" in answer.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_convert_asks_for_a_release_that_no_one_recorded(sizes, tmp_path):
    save_file(vector_weights.fork_v1p1(), tmp_path / "v1.1.safetensors")
    arguments = ("convert", tmp_path / "v1.1.safetensors", tmp_path / "out", "--config", sizes)
    assert "--release" in step1x(*arguments).stderr
    assert step1x(*arguments, "--release", "v1.1", "--dtype", "bfloat16").exit_code == 0
    assert load_file(next((tmp_path / "out").glob("*.safetensors")))["x_embedder.bias"].dtype == torch.bfloat16


def test_convert_merges_an_adapter(official, sizes, tmp_path):
    matrices = {"lora_down": torch.ones(1, 64), "lora_up": torch.ones(64, 1)}
    save_file({f"lora_unet_img_in.{key}.weight": value for key, value in matrices.items()}, tmp_path / "l.safetensors")
    out = tmp_path / "merged.safetensors"
    answer = step1x(
        "convert", official, out, "--to", "official", "--config", sizes, "--lora", f"{out.parent}/l.safetensors:0.5"
    )
    assert answer.exit_code == 0, answer.stderr
    change = load_file(out)["img_in.weight"] - load_file(official)["img_in.weight"]
    assert torch.allclose(change, torch.full((64, 64), 0.5), atol=1e-6)


def test_fetch_and_verify_of_what_is_not_there_are_exit_code_3(tmp_path):
    assert step1x("fetch", "v9").exit_code == 3
    assert step1x("fetch", "nano").exit_code == 3
    answer = step1x("verify", "v1.0", "--cache", tmp_path)
    assert answer.exit_code == 3 and "step1x fetch v1.0" in answer.stderr


def test_verify_names_a_broken_file_in_a_folder(tmp_path):
    for name in ("step1x-edit-i1258.safetensors", "vae.safetensors"):
        save_file({"a": torch.zeros(3)}, tmp_path / name)
    assert step1x("verify", "v1.0", "--weights", tmp_path).exit_code == 0
    (tmp_path / "vae.safetensors").write_bytes(b"\x80\x04 not weights")
    answer = step1x("verify", "v1.0", "--weights", tmp_path)
    assert answer.exit_code == 4 and "vae.safetensors" in answer.stderr
