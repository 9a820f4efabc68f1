"""The untrained transformer and connector in nano's sizes, from which a training of everything starts.

The door is ``python -m step1x_edit.apps.nano_start``; ``step1x train full`` trains what it writes.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.schema.release import Release

__all__ = ["build_transformer"]

_SIZES: dict[str, Any] = {
    "num_layers": 2,
    "num_single_layers": 5,
    "attention_head_dim": 64,
    "num_attention_heads": 4,
    "joint_attention_dim": 192,
    "vector_in_dim": 192,
    "connector_in_channels": 576,
    "connector_hidden_size": 192,
    "connector_heads_num": 3,
    "connector_depth": 2,
    "axes_dims_rope": (8, 28, 28),
}


def build_transformer(release: Release) -> Step1XEditTransformer2DModel:
    """Build nano's transformer with the usual start: gates and output at zero, so that every block begins as identity."""
    network = Step1XEditTransformer2DModel(**_SIZES, release=release.id, conventions=release.conventions.model_dump())
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        if name.endswith(("norm1.linear", "norm1_context.linear", "norm.linear", "norm_out.linear")):
            nn.init.zeros_(module.weight)
    nn.init.zeros_(network.proj_out.weight)
    return network
