"""A full-width slice of the network in plain stock modules and in ours, on the same random weights."""

from __future__ import annotations

import torch
from diffusers.models.embeddings import Timesteps
from diffusers.models.normalization import AdaLayerNormContinuous
from diffusers.models.transformers.transformer_flux import (
    FluxPosEmbed,
    FluxSingleTransformerBlock,
    FluxTransformerBlock,
)
from torch import Tensor, nn

from step1x_edit.models.connector import Connector
from step1x_edit.models.transformer import Step1XEditTransformer2DModel

__all__ = [
    "DOUBLE",
    "HEADS",
    "PADDED",
    "SIDE",
    "SINGLE",
    "VALID",
    "StockSlice",
    "build_ours",
    "build_stock",
    "random_weights",
]

DOUBLE, SINGLE = 2, 4
HEADS, HEAD_WIDTH = 24, 128
PADDED, VALID = 640, 345
SIDE = 32
"""Token rows and columns; 512 x 512 pixels."""


class StockSlice(nn.Module):
    """The published class's forward pass from stock diffusers modules, nothing left out and nothing kept."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.connector = Connector(in_channels=3584, hidden_size=4096, heads=32, depth=2, vector_channels=768)
        self.time_proj = Timesteps(256, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embed, self.vec_embed = _mlp(256, dim), _mlp(768, dim)
        self.pos_embed = FluxPosEmbed(theta=10000, axes_dim=[16, 56, 56])
        self.context_embedder, self.x_embedder = nn.Linear(4096, dim), nn.Linear(64, dim)
        shape = (dim, heads, dim // heads)
        self.transformer_blocks = nn.ModuleList(FluxTransformerBlock(*shape) for _ in range(DOUBLE))
        self.single_transformer_blocks = nn.ModuleList(FluxSingleTransformerBlock(*shape) for _ in range(SINGLE))
        self.norm_out = AdaLayerNormContinuous(dim, dim, elementwise_affine=False, eps=1e-6)
        self.proj_out = nn.Linear(dim, 64)

    def forward(self, tokens: Tensor, conditioning: Tensor, mask: Tensor, time_: Tensor, ids: Tensor) -> Tensor:
        context, vector = self.connector(conditioning, time_, mask)
        embedding = self.time_embed(self.time_proj(time_ * 1000).to(tokens.dtype)) + self.vec_embed(vector)
        image, context = self.x_embedder(tokens), self.context_embedder(context)
        rotary = self.pos_embed(ids)
        for block in (*self.transformer_blocks, *self.single_transformer_blocks):
            context, image = block(image, context, embedding, rotary)
        return self.proj_out(self.norm_out(image, embedding))[:, : SIDE * SIDE]


def _mlp(width: int, dim: int) -> nn.Module:
    class EmbeddingMLP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.in_layer, self.out_layer = nn.Linear(width, dim), nn.Linear(dim, dim)

        def forward(self, values: Tensor) -> Tensor:
            return self.out_layer(nn.functional.silu(self.in_layer(values)))

    return EmbeddingMLP()


def random_weights(heads: int = HEADS) -> dict[str, Tensor]:
    """Return weights of the slice in bfloat16, the same each time; with fewer heads all but the connector is narrower."""
    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in _empty_ours(heads).state_dict().items()}
    return {
        name: torch.ones(shape, dtype=torch.bfloat16)
        if name.endswith(("norm_q.weight", "norm_k.weight", "norm1.weight", "norm2.weight"))
        else torch.empty(shape, dtype=torch.bfloat16).normal_(std=0.02)
        for name, shape in shapes.items()
    }


def build_ours(weights: dict[str, Tensor]) -> Step1XEditTransformer2DModel:
    """Return our network on these weights, which are not copied."""
    with torch.device("meta"):
        network = _empty_ours(_heads(weights))
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def build_stock(weights: dict[str, Tensor]) -> StockSlice:
    """Return the stock modules on these weights, which are not copied."""
    with torch.device("meta"):
        heads = _heads(weights)
        network = StockSlice(heads * HEAD_WIDTH, heads)
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def _empty_ours(heads: int) -> Step1XEditTransformer2DModel:
    return Step1XEditTransformer2DModel(num_layers=DOUBLE, num_single_layers=SINGLE, num_attention_heads=heads)


def _heads(weights: dict[str, Tensor]) -> int:
    return len(weights["x_embedder.bias"]) // HEAD_WIDTH
