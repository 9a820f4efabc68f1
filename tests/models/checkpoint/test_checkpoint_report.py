"""``inspect`` says what a file is from its header, and what it does not know."""

from pathlib import Path

import pytest
import torch
import vector_weights
from safetensors.torch import save_file
from vector_weights import TINY, TINY_VAE

from step1x_edit.errors import CheckpointError
from step1x_edit.models.checkpoint import convert, inspect_checkpoint

VECTORS = Path(__file__).parents[2] / "vectors"


def report(weights, tmp_path):
    save_file(weights, tmp_path / "weights.safetensors")
    return inspect_checkpoint(tmp_path / "weights.safetensors")


def test_v1_0_is_derived_from_its_scale_factor(tmp_path):
    found = report(vector_weights.official_tiny(), tmp_path)
    assert (found.part, found.layout, found.release, found.dtypes) == ("transformer", "official", "v1.0", "F32")
    assert found.complete and found.parameters == 558129 and not found.folded


def test_v1_1_cannot_be_told_and_says_so(tmp_path):
    found = report(vector_weights.fork_v1p1(), tmp_path)
    assert found.release is None and found.release_text == "not recorded, pass --release"
    assert found.layout == "diffusers" and found.complete


def test_a_text_mapping_leaves_the_two_v1_2_releases(tmp_path):
    found = report(vector_weights.fork_v1p2(), tmp_path)
    assert found.release is None and found.candidates == ("v1.2", "v1.2-preview")


def test_a_converted_file_remembers_release_sizes_and_fold(tmp_path):
    save_file(vector_weights.official_tiny(), tmp_path / "o.safetensors")
    convert(tmp_path / "o.safetensors", tmp_path / "d.safetensors", release="v1.0", to="diffusers", config=TINY)
    found = inspect_checkpoint(tmp_path / "d.safetensors")
    assert found.release == "v1.0" and found.folded and found.sizes["connector_heads_num"] == 4


def test_missing_and_extra_tensors_are_listed(tmp_path):
    weights = vector_weights.official_tiny() | {"stranger": torch.zeros(1)}
    weights.pop("double_blocks.0.img_mod.lin.bias")
    found = report(weights, tmp_path)
    assert not found.complete
    assert found.difference.missing == ("double_blocks.0.img_mod.lin.bias",)
    assert found.difference.extra == ("stranger",)


def test_the_stored_forms_are_named(tmp_path):
    weights = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in vector_weights.official_tiny().items()}
    assert report(weights, tmp_path).dtypes == "F8_E4M3"
    half = {name: tensor.bfloat16() for name, tensor in vector_weights.official_tiny().items()}
    half["img_in.weight"] = weights["img_in.weight"]
    half["img_in.scale_weight"] = torch.ones(())
    assert report(half, tmp_path).dtypes == "BF16 + F8_E4M3 with scale_weight"


def test_a_vae_and_an_adapter_are_recognised(tmp_path):
    found = report(vector_weights.vae_official_tiny(), tmp_path)
    assert (found.part, found.complete, found.sizes) == ("vae", True, TINY_VAE)
    adapter = inspect_checkpoint(VECTORS / "lora_r4_alpha2.safetensors")
    assert (adapter.part, adapter.layout, adapter.sizes, adapter.difference) == (
        "adapter",
        "kohya",
        {"rank": [4]},
        None,
    )


def test_another_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="another model"):
        report({"model.layers.0.weight": torch.zeros(2)}, tmp_path)
