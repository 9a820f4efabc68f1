"""Numbers stored in 8 bits are read as what they are, or not at all."""

import pytest
import torch
import vector_weights
from safetensors.torch import save_file
from vector_weights import TINY

from step1x_edit.errors import CheckpointError
from step1x_edit.models.checkpoint import load_transformer

FP8 = torch.float8_e4m3fn
MATRIX = "double_blocks.0.img_attn.proj"


def load(weights, tmp_path, **options):
    save_file(weights, tmp_path / "weights.safetensors")
    return load_transformer(tmp_path / "weights.safetensors", release="v1.0", config=TINY, **options)


def scaled() -> dict[str, torch.Tensor]:
    """ComfyUI's form: matrices in fp8 with one scale each, the rest in bf16, and a marker."""
    weights = {"scaled_fp8": torch.zeros(2, dtype=FP8)}
    for name, tensor in vector_weights.official_tiny().items():
        if name.endswith(".weight") and tensor.ndim == 2:
            scale = tensor.abs().max() / 448
            weights[name] = (tensor / scale).to(FP8)
            weights[name.removesuffix(".weight") + ".scale_weight"] = scale.reshape(())
        else:
            weights[name] = tensor.bfloat16()
    return weights


def test_a_plain_fp8_cast_becomes_bf16_or_the_asked_type(tmp_path):
    weights = {name: tensor.to(FP8) for name, tensor in vector_weights.official_tiny().items()}
    expected = weights[f"{MATRIX}.weight"].float()
    network = load(weights, tmp_path)
    assert network.dtype == torch.bfloat16
    assert torch.equal(network.transformer_blocks[0].attn.to_out[0].weight.float(), expected)
    assert load(weights, tmp_path, dtype=torch.float32).dtype == torch.float32


def test_scale_weight_multiplies_its_matrix_before_rounding(tmp_path):
    weights = scaled()
    network = load(weights, tmp_path, dtype=torch.float32)
    expected = weights[f"{MATRIX}.weight"].float() * weights[f"{MATRIX}.scale_weight"]
    loaded = network.transformer_blocks[0].attn.to_out[0].weight
    assert torch.equal(loaded, expected)
    original = vector_weights.official_tiny()[f"{MATRIX}.weight"]
    assert (loaded - original).abs().max() < original.abs().max() / 16


def test_the_scale_of_activations_beside_a_scale_weight_is_not_needed(tmp_path):
    load(scaled() | {f"{MATRIX}.scale_input": torch.ones(())}, tmp_path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({f"{MATRIX}.weight_scale": torch.ones(())}, "weight_scale"),
        ({f"{MATRIX}.scale_weight": torch.ones(64)}, r"shape \[64\]"),
        ({f"{MATRIX}.weight": torch.zeros(64, 64)}, "without its fp8 weight"),
        ({f"{MATRIX}.bias": torch.zeros(64, dtype=FP8)}, "without a scale"),
        ({f"{MATRIX}.weight": torch.zeros(64, 64, dtype=torch.float8_e5m2)}, "F8_E5M2"),
        ({f"{MATRIX}.weight": torch.zeros(64, 64, dtype=torch.int8)}, "I8"),
    ],
)
def test_other_forms_of_scaling_are_refused_by_name(changes, named, tmp_path):
    with pytest.raises(CheckpointError, match=named):
        load(scaled() | changes, tmp_path)


def test_input_scales_alone_are_refused(tmp_path):
    weights = {name: tensor.to(FP8) for name, tensor in vector_weights.official_tiny().items()}
    with pytest.raises(CheckpointError, match="scale_input"):
        load(weights | {f"{MATRIX}.scale_input": torch.ones(())}, tmp_path)


def test_a_marker_without_scales_is_refused(tmp_path):
    weights = {name: tensor.to(FP8) for name, tensor in vector_weights.official_tiny().items()}
    with pytest.raises(CheckpointError, match="without a scale"):
        load(weights | {"scaled_fp8": torch.zeros(2, dtype=FP8)}, tmp_path)
