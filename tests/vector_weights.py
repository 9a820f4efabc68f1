"""The test vectors' weights, drawn again from their seeds instead of stored (20 MB).

They are bit-identical to the originals on the machine they were checked on, and within rounding elsewhere. Each tensor,
in alphabetical order of official names, takes its numbers from one generator: norm scales 1 + 0.1 n, others ``std`` n.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from step1x_edit.models.checkpoint.entries import entries
from step1x_edit.models.checkpoint.layout import expected_shapes
from step1x_edit.models.checkpoint.loading import PUBLISHED_VAE, empty_transformer, empty_vae, transformer_entries
from step1x_edit.models.checkpoint.tables import SCALE_FACTOR, vae_rules

TINY = {
    "num_layers": 2,
    "num_single_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "joint_attention_dim": 48,
    "vector_in_dim": 32,
    "connector_in_channels": 40,
    "connector_hidden_size": 48,
    "connector_heads_num": 4,
    "connector_depth": 2,
    "axes_dims_rope": (4, 6, 6),
}
"""Sizes of every tiny transformer of the vectors."""

TINY_VAE = {"block_out_channels": (32, 64, 128, 128)}
"""Sizes of the tiny VAE of the vectors."""


def official_tiny(*, hot: bool = False) -> dict[str, Tensor]:
    """v1.0 in official names: ``official_tiny_weights``, or ``official_tiny_hot_weights``."""
    seed, std = (4321, 0.12) if hot else (1234, 0.05)
    shapes = expected_shapes(transformer_entries(empty_transformer(TINY)), "official", scale_factor=True)
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name in sorted(shapes):
        numbers = torch.randn(shapes[name], generator=generator)
        is_scale = name.endswith(".scale") or (".norm" in name and name.endswith(".weight"))
        weights[name] = 1 + 0.1 * numbers if is_scale else std * numbers
    weights[SCALE_FACTOR] = torch.tensor([-0.91])
    return weights


def fork_v1p1() -> dict[str, Tensor]:
    """v1.1 in diffusers names: ``official_tiny`` without the scale factor (not folded in either)."""
    official = official_tiny()
    weights = {}
    for entry in transformer_entries(empty_transformer(TINY)):
        weights.update(zip(entry.ours, (part.clone() for part in entry.split(official[entry.official])), strict=True))
    return weights


def fork_v1p2() -> dict[str, Tensor]:
    """v1.2 in diffusers names: :func:`fork_v1p1` with a text token mapping."""
    generator = torch.Generator().manual_seed(888)
    weight, bias = (0.05 * torch.randn(shape, generator=generator) for shape in ((48, 40), (48,)))
    return fork_v1p1() | {"text_token_mapping.weight": weight, "text_token_mapping.bias": bias}


def vae_official_tiny() -> dict[str, Tensor]:
    """The tiny VAE in official names, bf16."""
    shapes = {name: tuple(tensor.shape) for name, tensor in empty_vae(PUBLISHED_VAE | TINY_VAE).state_dict().items()}
    shapes = expected_shapes(entries(vae_rules(4), shapes), "official", scale_factor=False)
    generator = torch.Generator().manual_seed(777)
    weights = {}
    for name in sorted(shapes):
        numbers = torch.randn(shapes[name], generator=generator)
        if name.endswith(".bias"):
            numbers = 0.05 * numbers
        elif "norm" in name:
            numbers = 1 + 0.1 * numbers
        else:
            numbers = numbers * (0.9 / math.sqrt(numbers[0].numel()))
        weights[name] = numbers.bfloat16()
    return weights
