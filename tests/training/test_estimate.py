"""The estimate of a run: held to published figures, to real networks, and to the cards the presets are made for."""

from pathlib import Path

import pytest
import torch
from tiny import tiny_conventions, tiny_pipeline, tiny_transformer

from step1x_edit.models.checkpoint import load_transformer
from step1x_edit.pipeline.weights import EMBEDDED
from step1x_edit.presets.releases import find_release
from step1x_edit.presets.training import training_presets
from step1x_edit.training.config import DataConfig, LoraConfig, ModelConfig, OptimizerConfig, RunConfig, SourceConfig
from step1x_edit.training.config import TrainingConfig as Config
from step1x_edit.training.config_file import read_config
from step1x_edit.training.estimate import (
    DOUBLE_WIDTHS,
    SINGLE_WIDTHS,
    caching_gb,
    checkpoint_bytes,
    memory_parts,
    read_sizes,
    text_tokens,
)
from step1x_edit.training.methods.lora import add_adapters

PUBLISHED_GB = {
    ("bf16", 512): 29.7,
    ("bf16", 768): 31.6,
    ("bf16", 1024): 33.8,
    ("fp8", 512): 19.8,
    ("fp8", 768): 21.3,
    ("fp8", 1024): 23.6,
}
"""README of the released code: rank 64, batch 1, gradient checkpointing, AdamW of 8 bits; all 640 text tokens."""


def released_script(base: str = "bf16") -> Config:
    return Config(
        model=ModelConfig(release="v1.0", base=base),
        data=DataConfig(sources=(SourceConfig(path="pairs"),)),
        lora=LoraConfig(rank=64, alpha=32),
        optimizer=OptimizerConfig(name="adamw_8bit"),
        run=RunConfig(steps=1, activation_checkpointing=1.0),
    )


def total_gb(config: Config, method="lora", *, tokens: int) -> float:
    return sum(part.gb for part in memory_parts(read_sizes(config, method), config, method, tokens=tokens))


@pytest.mark.parametrize(("base", "side"), PUBLISHED_GB)
def test_memory_is_within_a_tenth_of_the_published_figures(base, side):
    published = PUBLISHED_GB[base, side]
    estimated = total_gb(released_script(base), tokens=640 + 2 * (side // 16) ** 2)
    assert estimated == pytest.approx(published, rel=0.03 if base == "bf16" else 0.10)


@pytest.mark.parametrize("name", [name for name, preset in training_presets().items() if preset.card_gb])
def test_every_preset_fits_the_card_it_is_made_for_with_a_gigabyte_to_spare(name, tmp_path):
    preset = training_presets()[name]
    path = tmp_path / "config.toml"
    text = f'preset = "{name}"\n[model]\nrelease = "v1.2"\n[data]\nsources = [{{ path = "x" }}]\n[run]\nsteps = 1\n'
    path.write_text(text, encoding="utf-8")
    config = read_config(Path(path), method=preset.method)
    side = config.data.size_level or 1024
    tokens = text_tokens(find_release("v1.2")) + 2 * (side // 16) ** 2
    assert preset.card_gb is not None
    assert total_gb(config, preset.method, tokens=tokens) < preset.card_gb - 1


def test_sizes_are_those_of_the_real_network():
    sizes = read_sizes(released_script(), "lora")
    assert sizes.parameters == 12_427_800_384
    assert sizes.mllm == pytest.approx(8_292_166_656, abs=1000)


def test_counted_adapters_are_the_adapters_that_train():
    config = Config(
        model=ModelConfig(train=("transformer", "connector")),
        data=DataConfig(sources=(SourceConfig(path="pairs"),)),
        lora=LoraConfig(rank=4, rank_pattern={"to_q": 2}),
        run=RunConfig(steps=1),
    )
    sizes = read_sizes(config, "lora")
    network = load_transformer(EMBEDDED, release="nano")
    learning = add_adapters(network, config.lora, train=config.model.train, seed=0)
    assert sizes.trained == sum(weight.numel() for _, weight in learning)


@pytest.mark.parametrize(("kind", "widths"), [("double", DOUBLE_WIDTHS), ("single", SINGLE_WIDTHS)])
def test_a_block_keeps_about_as_much_as_was_counted(kind, widths):
    """Measured on the real blocks in bf16: bytes that autograd saves for the backward pass, for each token and width."""
    kept = saved_widths(kind)
    assert kept == pytest.approx(widths, rel=0.10)


def saved_widths(kind: str) -> float:
    conventions = tiny_conventions("v1.1", tiny_pipeline("v1.1").processor.tokenizer)
    network = tiny_transformer("v1.1", conventions).bfloat16()
    add_adapters(network, LoraConfig(rank=1), train=("transformer",), seed=0)
    block = (network.transformer_blocks if kind == "double" else network.single_transformer_blocks)[0]
    width, image, text = network.inner_dim, 512, 64
    saved: dict[int, int] = {}
    own = {weight.untyped_storage().data_ptr() for weight in network.parameters()}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    alive: list = []
    hidden = torch.randn(1, image, width, dtype=torch.bfloat16, requires_grad=True)
    context = torch.randn(1, text, width, dtype=torch.bfloat16, requires_grad=True)
    rotary = network.pos_embed(torch.zeros(image + text, 3))
    embedding = torch.randn(1, width, dtype=torch.bfloat16)
    autocast = torch.autocast("cpu", torch.bfloat16)
    with autocast, torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        block(hidden_states=hidden, encoder_hidden_states=context, temb=embedding, image_rotary_emb=rotary)
    return sum(saved.values()) / (2 * width * (image + text))


def test_caching_holds_the_language_model_and_checkpoints_hold_what_learns():
    config = released_script()
    sizes = read_sizes(config, "lora")
    assert 16.5 < caching_gb(sizes, config, pixels=512 * 512) < 19
    assert checkpoint_bytes(sizes, config) > 3 * 6 * sizes.trained
