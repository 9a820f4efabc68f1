"""LoRA files of both families change the transformer as their training program would have."""

import json
from pathlib import Path

import pytest
import torch
import vector_weights
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from vector_weights import TINY

from step1x_edit.errors import CheckpointError, MissingRelease
from step1x_edit.models.checkpoint import attach_adapters, load_transformer, merge_adapters_to_file
from step1x_edit.models.checkpoint.loading import transformer_entries
from step1x_edit.models.checkpoint.lora import read_adapter

VECTORS = Path(__file__).parents[2] / "vectors"
LORA = VECTORS / "lora_r4_alpha2.safetensors"


@pytest.fixture(scope="module")
def hot(tmp_path_factory):
    path = tmp_path_factory.mktemp("hot") / "v1.0.safetensors"
    save_file(vector_weights.official_tiny(hot=True), path)
    return path


@pytest.fixture
def network(hot):
    return load_transformer(hot, release="v1.0", config=TINY)


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)
    grid = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
    ids = torch.cat([torch.zeros(16, 1), grid], dim=1)
    return {
        "hidden_states": torch.randn(1, 32, 64, generator=generator),
        "encoder_hidden_states": torch.randn(1, 6, 40, generator=generator),
        "prompt_embeds_mask": torch.tensor([[1, 1, 1, 1, 0, 0]]),
        "timestep": torch.tensor([0.6]),
        "img_ids": torch.cat([ids, ids]),
        "txt_ids": torch.zeros(6, 3),
    }


@torch.no_grad()
def velocity(network, inputs):
    return network(**inputs).sample


def kohya(changes: dict[str, tuple[int, int]], rank: int = 4, alpha: float | None = 2.0) -> dict[str, torch.Tensor]:
    """Random matrices for official modules given as name → (out, in)."""
    generator = torch.Generator().manual_seed(5)
    weights = {}
    for module, (out, inside) in changes.items():
        name = f"lora_unet_{module.replace('.', '_')}"
        weights[f"{name}.lora_down.weight"] = torch.randn(rank, inside, generator=generator)
        weights[f"{name}.lora_up.weight"] = 0.1 * torch.randn(out, rank, generator=generator)
        if alpha is not None:
            weights[f"{name}.alpha"] = torch.tensor(alpha)
    return weights


def delta(weights, module) -> torch.Tensor:
    name = f"lora_unet_{module.replace('.', '_')}"
    down, up = weights[f"{name}.lora_down.weight"], weights[f"{name}.lora_up.weight"]
    return weights[f"{name}.alpha"] / len(down) * up @ down


def merged(hot, adapter, tmp_path, **options) -> dict[str, torch.Tensor]:
    target = tmp_path / "merged.safetensors"
    merge_adapters_to_file(hot, [(adapter, 1.0)], target, release="v1.0", config=TINY, force=True, **options)
    return load_file(target)


def test_a_kohya_file_merges_into_the_weights_of_the_released_code(hot, tmp_path):
    ours = merged(hot, LORA, tmp_path)
    expected = load_file(VECTORS / "lora_merged_out_r4_alpha2.safetensors")
    assert len(expected) == 13
    for name, tensor in expected.items():
        assert (ours[name.removeprefix("merged.")] - tensor).abs().max() < 1e-6
    assert ours["connector.scale_factor"].tolist() == pytest.approx([-0.91])


def test_attaching_and_merging_give_the_same_velocity(hot, network, inputs, tmp_path):
    merge_adapters_to_file(hot, [(LORA, 0.7)], tmp_path / "folder", release="v1.0", config=TINY, to="diffusers")
    plain = velocity(network, inputs)
    attach_adapters(network, [(LORA, 0.7)])
    attached = velocity(network, inputs)
    assert (attached - plain).abs().max() > 0.01
    assert torch.allclose(attached, velocity(load_transformer(tmp_path / "folder", release="v1.0"), inputs), atol=2e-5)


def test_several_adapters_add_up_with_their_scales_and_come_off_again(network, inputs):
    plain = velocity(network, inputs)
    names = attach_adapters(network, [(LORA, 0.25), (LORA, 0.75)])
    both = velocity(network, inputs)
    network.set_adapters(list(names), [1.0, 0.0])
    assert torch.allclose(velocity(network, inputs), both, atol=2e-5)
    network.set_adapters(list(names), [0.0, 0.0])
    assert torch.allclose(velocity(network, inputs), plain, atol=1e-6)
    network.delete_adapters(list(names))
    attach_adapters(network, [(LORA, 1.0)])
    assert torch.allclose(velocity(network, inputs), both, atol=2e-5)


def test_embedders_and_the_swapped_final_layer_are_adapted_by_their_official_names(hot, network, inputs, tmp_path):
    modules = {
        "time_in.in_layer": (64, 256),
        "time_in.out_layer": (64, 64),
        "vector_in.in_layer": (64, 32),
        "txt_in": (64, 48),
        "img_in": (64, 64),
        "final_layer.linear": (64, 64),
        "final_layer.adaLN_modulation.1": (128, 64),
        "connector.S.individual_token_refiner.blocks.0.self_attn_qkv": (144, 48),
    }
    weights = kohya(modules)
    save_file(weights, tmp_path / "lora.safetensors")
    ours = merged(hot, tmp_path / "lora.safetensors", tmp_path)
    base = load_file(hot)
    for module in modules:
        expected = base[f"{module}.weight"] + delta(weights, module)
        assert torch.allclose(ours[f"{module}.weight"], expected, atol=1e-6), module
    attach_adapters(network, [(tmp_path / "lora.safetensors", 1.0)])
    merged_network = load_transformer(tmp_path / "merged.safetensors", release="v1.0")
    assert torch.allclose(velocity(network, inputs), velocity(merged_network, inputs), atol=2e-5)


def test_parts_trained_apart_keep_their_own_ranks(network, tmp_path):
    module = "double_blocks.1.txt_attn.qkv"
    weights = kohya({module: (192, 64)}, rank=6)
    name = "lora_unet_double_blocks_1_txt_attn_qkv.lora_up.weight"
    blocks = torch.block_diag(*[torch.ones(64, 2)] * 3)
    weights[name] = weights[name] * blocks
    save_file(weights, tmp_path / "lora.safetensors")
    adapter = read_adapter(tmp_path / "lora.safetensors", transformer_entries(network))
    assert [len(change.down) for change in adapter.changes] == [2, 2, 2]
    joined = torch.cat([change.up @ change.down for change in adapter.changes])
    assert torch.allclose(joined, delta(weights, module), atol=1e-6)


def test_without_an_alpha_the_scale_is_one(hot, tmp_path):
    weights = kohya({"img_in": (64, 64)}, alpha=None)
    save_file(weights, tmp_path / "lora.safetensors")
    change = weights["lora_unet_img_in.lora_up.weight"] @ weights["lora_unet_img_in.lora_down.weight"]
    ours = merged(hot, tmp_path / "lora.safetensors", tmp_path)
    assert torch.allclose(ours["img_in.weight"], load_file(hot)["img_in.weight"] + change, atol=1e-6)


def test_what_peft_saves_is_read_back_with_its_alpha(hot, network, inputs, tmp_path):
    targets = ["to_q", "proj_mlp", "norm_out.linear", "connector.S.input_embedder"]
    network.add_adapter(LoraConfig(r=4, lora_alpha=12, target_modules=targets, init_lora_weights=False), "own")
    network.save_lora_adapter(tmp_path / "adapter", adapter_name="own")
    expected = velocity(network, inputs)
    again = load_transformer(hot, release="v1.0", config=TINY)
    attach_adapters(again, [(tmp_path / "adapter", 1.0)])
    assert torch.allclose(velocity(again, inputs), expected, atol=2e-5)


def test_a_peft_folder_s_alpha_pattern_and_rank_stabilisation_count(network, tmp_path):
    module = "transformer_blocks.0.attn.to_q"
    matrices = {"lora_A": torch.ones(4, 64), "lora_B": torch.ones(64, 4)}
    weights = {f"base_model.model.{module}.{kind}.weight": matrix for kind, matrix in matrices.items()}
    save_file(weights, tmp_path / "adapter_model.safetensors")
    settings = {"r": 4, "lora_alpha": 4, "alpha_pattern": {"attn.to_q": 6}, "use_rslora": True}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    (change,) = read_adapter(tmp_path, transformer_entries(network)).changes
    assert change.module == module and torch.all(change.up == 3.0)


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        (kohya({"img_in": (96, 64)}), "another size"),
        (kohya({"double_blocks.7.img_attn.proj": (64, 64)}), "double_blocks_7"),
        ({"img_in.weight": torch.zeros(2)}, "not a LoRA"),
        ({"lora_unet_img_in.lora_down.weight": torch.zeros(4, 64)}, "no pair"),
        (kohya({"img_in": (64, 64)}) | {"lora_te_mlp.lora_up.weight": torch.zeros(2, 2)}, "multimodal LLM"),
        (kohya({"img_in": (64, 64)}) | {"lora_unet_img_in.dora_scale": torch.zeros(64)}, "dora_scale"),
        (kohya({"connector.global_proj_out": (32, 40)}), "folded"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_and_leaves_the_transformer_alone(network, weights, named, tmp_path):
    save_file(weights, tmp_path / "lora.safetensors")
    with pytest.raises(CheckpointError, match=named):
        attach_adapters(network, [(LORA, 1.0), (tmp_path / "lora.safetensors", 1.0)])
    assert not getattr(network, "peft_config", {})


def test_an_adapter_that_is_not_there_is_a_missing_release(network, tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(MissingRelease):
            attach_adapters(network, [(path, 1.0)])
