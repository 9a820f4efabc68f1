"""What a run leaves loads in the pipeline, in diffusers and by the official rule, with the same effect."""

import json

import pytest
import torch
import vector_weights
from diffusers.loaders.lora_conversion_utils import _convert_kohya_flux_lora_to_diffusers
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from vector_weights import TINY

from step1x_edit import Editor
from step1x_edit.errors import CheckpointError, RequestError
from step1x_edit.models.checkpoint import attach_adapters, load_transformer, merge_adapters_to_file
from step1x_edit.models.checkpoint.adapter_forms import LowRankPair, kohya_tensors
from step1x_edit.models.checkpoint.loading import empty_transformer, transformer_entries
from step1x_edit.pipeline.weights import EMBEDDED
from step1x_edit.training.config import LoraConfig, ModelConfig
from step1x_edit.training.exports import (
    KOHYA_FILE,
    OWN_FILE,
    PEFT_FILE,
    base_sha256,
    export_adapter,
    export_weights,
)
from step1x_edit.training.methods.full import train_parts
from step1x_edit.training.methods.lora import add_adapters

FILES = (OWN_FILE, PEFT_FILE, KOHYA_FILE)
MIXED = LoraConfig(
    rank=4,
    alpha=2.0,
    targets=("attn.to_q", "attn.to_v", "proj_mlp", "ff.net.*", "norm_out.linear", "x_embedder", "time_embed.*", "fc1"),
    rank_pattern={"proj_mlp": 6, "single_transformer_blocks.1.attn.to_q": 3},
    alpha_pattern={"transformer_blocks.*.to_v": 3.0},
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("hot") / "v1.0.safetensors"
    save_file(vector_weights.official_tiny(hot=True), path)
    return path


def network(weights, release="v1.0"):
    return load_transformer(weights, release=release, config=TINY)


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
def velocity(transformer):
    return transformer(**inputs()).sample


def learn(transformer, config=MIXED, train=("transformer", "connector")):
    """Adapters as after training: nothing is zero any more."""
    generator = torch.Generator().manual_seed(3)
    for _, parameter in add_adapters(transformer, config, train=train, seed=1):
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return transformer


@pytest.fixture(scope="module", params=["mixed", "default"])
def trained(request, weights, tmp_path_factory):
    """A network with its live adapter, and the folder of its three files."""
    config = MIXED if request.param == "mixed" else LoraConfig(rank=4, alpha=3.0)
    train = ("transformer", "connector") if request.param == "mixed" else ("transformer",)
    live = learn(network(weights), config, train)
    folder = tmp_path_factory.mktemp("run")
    assert [path.name for path in export_adapter(live, folder, base=base_sha256(weights, release="v1.0"))] == [*FILES]
    return live, folder


@pytest.mark.parametrize("name", FILES)
def test_each_adapter_file_gives_the_velocity_of_the_live_adapter(weights, trained, name):
    live, folder = trained
    plain = network(weights)
    before = velocity(plain)
    attach_adapters(plain, [(folder / name, 1.0)])
    expected = velocity(live)
    assert (expected - before).abs().max() > 0.05
    assert (velocity(plain) - expected).abs().max() < 2e-5


def test_the_kohya_file_merges_by_the_official_rule_into_the_live_weights(weights, trained, tmp_path):
    live, folder = trained
    official = load_file(weights)
    file = load_file(folder / KOHYA_FILE)
    names = {f"lora_unet_{name.removesuffix('.weight').replace('.', '_')}": name for name in official}
    for module in sorted({key.partition(".")[0] for key in file}):
        down, up, alpha = (file[f"{module}.{role}"] for role in ("lora_down.weight", "lora_up.weight", "alpha"))
        official[names[module]] += alpha / len(down) * (up @ down)
    folded = "connector.global_proj_out.weight"  # differs by v1.0's scale factor, and is never adapted
    for entry in (entry for entry in transformer_entries(live) if entry.official != folded):
        parts = [changed(live, name.removesuffix(".weight")) for name in entry.ours if name.endswith(".weight")]
        if parts and all(part is not None for part in parts):
            assert (official[entry.official] - entry.join(parts)).abs().max() < 1e-6, entry.official
    save_file(official, tmp_path / "merged.safetensors")
    assert (velocity(network(tmp_path / "merged.safetensors")) - velocity(live)).abs().max() < 2e-5


def changed(live, module):
    """The weight that peft computes with, or None where nothing was adapted."""
    layer = live.get_submodule(module)
    if not isinstance(layer, LoraLayer):
        return None if not isinstance(layer, torch.nn.Linear) else layer.weight.detach()
    return (layer.get_base_layer().weight + layer.get_delta_weight("default")).detach()


def test_diffusers_reads_the_peft_file_by_itself(weights, trained):
    live, folder = trained
    plain = network(weights)
    plain.load_lora_adapter(folder, weight_name=PEFT_FILE, prefix="transformer")
    assert (velocity(plain) - velocity(live)).abs().max() < 2e-5


def test_diffusers_takes_the_fused_matrices_of_a_full_width_kohya_file_apart_again():
    table = transformer_entries(empty_transformer({"num_layers": 1, "num_single_layers": 1}))
    generator = torch.Generator().manual_seed(1)
    pairs = [
        LowRankPair(
            module=name.removesuffix(".weight"),
            down=torch.randn(2, columns, generator=generator),
            up=torch.randn(rows, 2, generator=generator),
            alpha=1.5,
        )
        for entry in table
        if entry.official.startswith(("double", "single")) and len(entry.official_shape) == 2
        for name, (rows, columns) in zip(entry.ours, entry.shapes, strict=True)
    ]
    theirs = _convert_kohya_flux_lora_to_diffusers(kohya_tensors(pairs, table))
    assert len(theirs) == 2 * len(pairs) == 40
    for pair in pairs:
        down, up = (theirs[f"transformer.{pair.module}.lora_{side}.weight"] for side in "AB")
        assert torch.allclose(up[:9] @ down, pair.scale * pair.up[:9] @ pair.down, atol=1e-5), pair.module


def test_an_adapter_file_says_what_it_belongs_to(weights, trained):
    _, folder = trained
    for name in FILES:
        with safe_open(folder / name, "pt") as file:
            facts = file.metadata()
        assert facts["release"] == "v1.0" and facts["base_sha256"] == base_sha256(weights, release="v1.0")
        assert facts["rank"] in ("4", "3, 4, 6") and facts["alpha"] in ("3", "2, 3") and facts["step1x_edit"]


@pytest.mark.parametrize("name", FILES)
def test_an_adapter_of_another_release_is_refused_in_one_sentence(trained, vector_transformer, name):
    _, folder = trained
    other = vector_transformer("v1.1")
    with pytest.raises(CheckpointError, match=r"trained for release v1\.0; expected a LoRA of v1\.1\. ") as refusal:
        attach_adapters(other, [(folder / name, 1.0)])
    assert "\n" not in str(refusal.value) and not getattr(other, "peft_config", {})


def test_an_adapter_of_another_release_is_not_merged_either(trained, tmp_path):
    _, folder = trained
    save_file(vector_weights.fork_v1p1(), tmp_path / "v1.1.safetensors")
    with pytest.raises(CheckpointError, match=r"trained for release v1\.0"):
        merge_adapters_to_file(
            tmp_path / "v1.1.safetensors",
            [(folder / PEFT_FILE, 1.0)],
            tmp_path / "merged.safetensors",
            release="v1.1",
            config=TINY,
        )
    assert not (tmp_path / "merged.safetensors").exists()


def test_the_editor_takes_an_own_adapter_and_refuses_a_foreign_one(weights, tmp_path):
    live = load_transformer(EMBEDDED, release="nano", dtype=torch.float32)
    base = velocity_of_nano(live)
    learn(live, LoraConfig(rank=2, alpha=2.0), ("transformer",))
    own, *_ = export_adapter(live, tmp_path)
    editor = Editor.from_release("nano", adapters=[(own, 1.0)], dtype="float32", device="cpu")
    attached = velocity_of_nano(editor.pipeline.transformer)
    assert (attached - velocity_of_nano(live)).abs().max() < 2e-5 < (attached - base).abs().max()
    assert editor.adapters[0].path == own
    foreign, *_ = export_adapter(learn(network(weights)), tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="expected a LoRA of nano"):
        Editor.from_release("nano", adapters=[(foreign, 1.0)])


@torch.no_grad()
def velocity_of_nano(transformer):
    generator = torch.Generator().manual_seed(1)
    size = transformer.config["connector_in_channels"]
    tokens = torch.randn(1, 5, size, generator=generator)
    ids = torch.cat([torch.zeros(4, 1), torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0))], dim=1)
    return transformer(
        torch.randn(1, 8, 64, generator=generator),
        tokens,
        torch.ones(1, 5, dtype=torch.long),
        torch.tensor([0.5]),
        torch.cat([ids, ids]),
        torch.zeros(5, 3),
    ).sample


def test_half_precision_files_stay_near_the_live_adapter(weights, trained, tmp_path):
    live, _ = trained
    plain = network(weights)
    export_adapter(live, tmp_path, dtype=torch.bfloat16)
    attach_adapters(plain, [(tmp_path / OWN_FILE, 1.0)])
    expected = velocity(live)
    assert (velocity(plain) - expected).norm() / expected.norm() < 0.01


def same_weights(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_whole_weights_load_from_the_folder_and_from_the_official_file(weights, tmp_path):
    tuned = network(weights)
    for _, parameter in train_parts(tuned, ModelConfig(train=("connector",), base="fp32")):
        parameter.data += 0.01
    *_, single = export_weights(tuned, tmp_path / "full", single_file=True)
    config = json.loads((tmp_path / "full" / "config.json").read_text())
    assert config["release"] == "v1.0" and config["conventions"]["dropped_tokens"] == 217
    for place in (tmp_path / "full", single):
        assert same_weights(load_transformer(place, release="v1.0"), tuned)
    assert "double_blocks.0.img_attn.qkv.weight" in load_file(single)


def test_exported_weights_are_replaced_only_when_asked_and_never_by_halves(weights, tmp_path):
    tuned = network(weights)
    files = export_weights(tuned, tmp_path)
    before = [path.read_bytes() for path in files]
    with pytest.raises(RequestError, match="exists"):
        export_weights(tuned, tmp_path)
    last, tuned.proj_out.weight = tuned.proj_out.weight, torch.nn.Parameter(tuned.proj_out.weight.to("meta"))
    with pytest.raises(NotImplementedError):  # A tensor that cannot be had, late in the file.
        export_weights(tuned, tmp_path, force=True)
    assert [path.read_bytes() for path in files] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
    tuned.proj_out.weight = torch.nn.Parameter(last + 1)
    export_weights(tuned, tmp_path, force=True)
    assert same_weights(load_transformer(tmp_path, release="v1.0"), tuned)
