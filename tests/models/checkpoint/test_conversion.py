"""Converting there and back keeps every bit, except the scale factor that is folded once."""

import json

import pytest
import torch
import vector_weights
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from vector_weights import TINY, TINY_VAE

from step1x_edit.errors import CheckpointError, RequestError
from step1x_edit.models.checkpoint import convert, load_transformer, load_vae


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    path = tmp_path_factory.mktemp("official") / "v1.0.safetensors"
    save_file(vector_weights.official_tiny(), path)
    return path


def equal(ours, theirs) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_v1_1_goes_to_official_names_and_back_bit_for_bit(tmp_path):
    weights = vector_weights.fork_v1p1()
    save_file(weights, tmp_path / "v1.1.safetensors")
    (there,) = convert(
        tmp_path / "v1.1.safetensors", tmp_path / "o.safetensors", release="v1.1", to="official", config=TINY
    )
    original = vector_weights.official_tiny()
    original.pop("connector.scale_factor")
    assert equal(load_file(there), original)
    back, config = convert(there, tmp_path / "folder", release="v1.1", to="diffusers")
    assert equal(load_file(back), weights)
    assert json.loads(config.read_text())["release"] == "v1.1"


def test_v1_0_is_folded_once_however_often_it_is_converted(official, tmp_path):
    once = load_transformer(official, release="v1.0", config=TINY)
    convert(official, tmp_path / "folder", release="v1.0", to="diffusers", config=TINY)
    convert(tmp_path / "folder", tmp_path / "again.safetensors", release="v1.0", to="official")
    assert load_file(tmp_path / "again.safetensors")["connector.scale_factor"].tolist() == [0.0]
    convert(tmp_path / "again.safetensors", tmp_path / "folder2", release="v1.0", to="diffusers")
    for path in ("folder", "again.safetensors", "folder2"):
        again = load_transformer(tmp_path / path, release="v1.0")
        assert equal(again.state_dict(), once.state_dict())


def test_the_fold_is_recorded_in_the_weights_themselves(official, tmp_path):
    (path,) = convert(official, tmp_path / "ours.safetensors", release="v1.0", to="diffusers", config=TINY)
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["folded"] == "connector.scale_factor"
        assert file.metadata()["release"] == "v1.0"
    assert load_transformer(path, release="v1.0").config.num_layers == 2
    with pytest.raises(CheckpointError, match=r"recorded release v1\.0"):
        load_transformer(path, release="v1.1")


def test_folded_weights_with_a_scale_factor_beside_them_are_refused(official, tmp_path):
    (path,) = convert(official, tmp_path / "ours.safetensors", release="v1.0", to="diffusers", config=TINY)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(load_file(path) | {"connector.scale_factor": torch.tensor([-0.91])}, path, metadata=metadata)
    with pytest.raises(CheckpointError, match="recorded as folded"):
        load_transformer(path, release="v1.0")


def test_the_same_layout_in_another_type_keeps_the_scale_factor(official, tmp_path):
    convert(official, tmp_path / "half.safetensors", release="v1.0", to="official", config=TINY, dtype=torch.bfloat16)
    half = load_file(tmp_path / "half.safetensors")
    assert equal(half, {name: tensor.bfloat16() for name, tensor in vector_weights.official_tiny().items()})


def test_a_converted_folder_is_what_save_pretrained_writes(official, tmp_path):
    network = load_transformer(official, release="v1.0", config=TINY)
    network.save_pretrained(tmp_path / "saved")
    convert(official, tmp_path / "converted", release="v1.0", to="diffusers", config=TINY)
    saved, ours = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("saved", "converted"))
    assert saved == ours
    again = type(network).from_pretrained(tmp_path / "converted")
    assert equal(again.state_dict(), network.state_dict())


def test_the_vae_converts_both_ways(tmp_path):
    weights = vector_weights.vae_official_tiny()
    save_file(weights, tmp_path / "vae.safetensors")
    convert(tmp_path / "vae.safetensors", tmp_path / "folder", release="v1.0", to="diffusers", config=TINY_VAE)
    load_vae(tmp_path / "folder")
    convert(tmp_path / "folder", tmp_path / "back.safetensors", release="v1.0", to="official")
    assert equal(load_file(tmp_path / "back.safetensors"), weights)


def test_an_existing_target_is_left_alone_unless_forced(official, tmp_path):
    target = tmp_path / "there.safetensors"
    target.write_bytes(b"precious")
    with pytest.raises(RequestError, match="exists"):
        convert(official, target, release="v1.0", to="official", config=TINY)
    assert target.read_bytes() == b"precious"
    convert(official, target, release="v1.0", to="official", config=TINY, force=True)
    convert(target, target, release="v1.0", to="official", force=True)
    assert equal(load_file(target), vector_weights.official_tiny())


def test_a_refused_conversion_leaves_no_file_behind(tmp_path):
    weights = vector_weights.official_tiny()
    weights.pop("img_in.bias")
    save_file(weights, tmp_path / "source.safetensors")
    for target in ("target.safetensors", "folder"):
        with pytest.raises(CheckpointError):
            convert(tmp_path / "source.safetensors", tmp_path / target, release="v1.0", to="diffusers", config=TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["source.safetensors"]


def test_a_folder_is_no_target_for_the_official_layout(official, tmp_path):
    with pytest.raises(RequestError, match=r"\.safetensors"):
        convert(official, tmp_path / "folder", release="v1.0", to="official", config=TINY)
