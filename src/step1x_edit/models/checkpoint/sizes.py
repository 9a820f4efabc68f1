"""A network's sizes, read off the shapes of its weights where nobody wrote them down."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from step1x_edit.models.checkpoint.tables import TEXT_MAPPING
from step1x_edit.models.transformer import Step1XEditTransformer2DModel

__all__ = ["transformer_sizes", "vae_sizes"]

_DEFAULTS = inspect.signature(Step1XEditTransformer2DModel.__init__).parameters
_PUBLISHED_WIDTH = _DEFAULTS["num_attention_heads"].default * _DEFAULTS["attention_head_dim"].default

_WIDTHS = {
    "in_channels": ("x_embedder.weight", "img_in.weight", 1),
    "out_channels": ("proj_out.weight", "final_layer.linear.weight", 0),
    "joint_attention_dim": ("context_embedder.weight", "txt_in.weight", 1),
    "timestep_in_dim": ("time_embed.in_layer.weight", "time_in.in_layer.weight", 1),
    "vector_in_dim": ("vec_embed.in_layer.weight", "vector_in.in_layer.weight", 1),
    "connector_in_channels": ("connector.S.input_embedder.weight", "connector.S.input_embedder.weight", 1),
    "connector_hidden_size": ("connector.S.input_embedder.weight", "connector.S.input_embedder.weight", 0),
}
"""Size → the tensor it can be read off, in both layouts, and the axis."""

_DEPTHS = {
    "num_layers": r"(?:transformer_blocks|double_blocks)\.(\d+)\..*",
    "num_single_layers": r"(?:single_transformer_blocks|single_blocks)\.(\d+)\..*",
    "connector_depth": r"connector\.S\.individual_token_refiner\.blocks\.(\d+)\..*",
}

_HEAD = re.compile(r".*(?:norm_q\.weight|query_norm\.scale)")


def transformer_sizes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Read a network's sizes off its tensors; the published ones where the width is the published one.

    A file of published width that lacks its last block is thus reported as incomplete, not as a smaller network.
    """
    sizes: dict[str, Any] = {"enable_text_token_mapping": TEXT_MAPPING in shapes}
    for size, (ours, official, axis) in _WIDTHS.items():
        shape = shapes.get(ours) or shapes.get(official)
        if shape is not None:
            sizes[size] = shape[axis]
    hidden = next((shapes[name][0] for name in ("x_embedder.weight", "img_in.weight") if name in shapes), None)
    head = next((shape[0] for name, shape in shapes.items() if _HEAD.fullmatch(name)), None)
    if hidden is None or head is None or hidden == _PUBLISHED_WIDTH:
        return sizes
    sizes |= {"attention_head_dim": head, "num_attention_heads": hidden // head}
    for size, pattern in _DEPTHS.items():
        found = [int(match[1]) for name in shapes if (match := re.fullmatch(pattern, name))]
        sizes[size] = max(found, default=-1) + 1
    return sizes


def vae_sizes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Read the VAE's channels off its encoder, from the finest level to the coarsest."""
    pattern = re.compile(r"encoder\.(?:down|down_blocks)\.(\d+)\.(?:block|resnets)\.0\.conv1\.weight")
    levels = {int(match[1]): shape[0] for name, shape in shapes.items() if (match := pattern.fullmatch(name))}
    complete = sorted(levels) == [0, 1, 2, 3]
    return {"block_out_channels": tuple(levels[level] for level in range(4))} if complete else {}
