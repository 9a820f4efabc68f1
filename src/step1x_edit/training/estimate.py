"""What a run will take, before a weight is read: memory by part, disk, steps. All from the sizes in a network's config.

The formula is held to the published figures of the released script by a test (docs/training.md, "Memory"). GB are 10^9 bytes.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from torch import nn

from step1x_edit.errors import MissingRelease
from step1x_edit.models.checkpoint.loading import PUBLISHED_VAE, empty_transformer, empty_vae, open_transformer
from step1x_edit.models.checkpoint.record import Record, resolve_config
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.pipeline.weights import EMBEDDED, locate
from step1x_edit.presets.releases import find_release
from step1x_edit.schema.release import Release
from step1x_edit.training.config import Method, TrainingConfig
from step1x_edit.training.methods.full import CONNECTOR, train_parts
from step1x_edit.training.methods.lora import adapter_parameters

__all__ = [
    "MemoryPart",
    "Sizes",
    "cache_bytes",
    "caching_gb",
    "checkpoint_bytes",
    "memory_parts",
    "network_without_memory",
    "read_sizes",
    "text_tokens",
]

_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0, "nf4": 0.53}
"""Of one stored value; nf4 with its scale for each 64 values."""
_STATE_BYTES = {"adamw": 8.0, "schedule_free": 8.0, "adamw_8bit": 2.06, "muon": 4.0}
"""Of an optimiser's state for one trained value; 8 bits with a scale for each 256 values."""
DOUBLE_WIDTHS, SINGLE_WIDTHS = 27, 24
"""Widths of a token, at two bytes, that a block with adapters on all linear layers keeps for the backward pass under autocast:
inputs of norms, modulation, activation, attention and each adapter. Measured on the real blocks by a test."""
DEAR_DOUBLE_WIDTHS, DEAR_SINGLE_WIDTHS = 11, 10
"""The same where a block keeps its input and large products only (``run.cheap_recomputation``): q, k, v, attention, MLP, out."""
BACKWARD_WIDTHS = 12
"""Gradients of one block's tensors that live at once: of the widest pair and of q, k and v."""
_BLOCKS = ("transformer_blocks.", "single_transformer_blocks.")
_WORDS = 21
"""Tokens of a usual instruction and the chat's end; 345 with the picture's 324 (v1.x)."""
_LLM_PATCH_PX = 28
_VAE_MAPS = 4
"""Feature maps of full size that live at once in the VAE's first level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What the estimate knows of a release's networks."""

    parameters: int
    """Of transformer and connector."""
    matrices: int
    """Of them in matrices of blocks and connector, which 8-bit and 4-bit bases keep small."""
    largest_block: int
    trained: int
    """Values that learn: of adapters, or of the weights themselves."""
    width: int
    double_blocks: int
    single_blocks: int
    channels: int
    """Of a packed token."""
    conditioning_width: int
    mllm: int
    """Parameters of the multimodal LLM, which is loaded while the cache is filled, then let go."""
    vae: int
    vae_channels: int
    """Of the VAE's first level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPart:
    """One line of the estimate."""

    name: str
    gb: float


def read_sizes(config: TrainingConfig, method: Method) -> Sizes:
    """Return the sizes of what a run trains, from the heads of weight files, or the published sizes where none are here."""
    release = find_release(config.model.release)
    network = network_without_memory(config)
    vae = empty_vae(_vae_arguments(release))
    parameters = sum(weight.numel() for weight in network.parameters())
    blocks = [*network.transformer_blocks, *network.single_transformer_blocks]
    return Sizes(
        parameters=parameters,
        matrices=sum(weight.numel() for name, weight in network.named_parameters() if _kept_small(name, weight)),
        largest_block=max(sum(weight.numel() for weight in block.parameters()) for block in blocks),
        trained=_trained(network, config, method),
        width=network.inner_dim,
        double_blocks=len(network.transformer_blocks),
        single_blocks=len(network.single_transformer_blocks),
        channels=network.config["in_channels"],
        conditioning_width=network.config["connector_in_channels"],
        mllm=release.parameters - parameters - sum(weight.numel() for weight in vae.parameters()),
        vae=sum(weight.numel() for weight in vae.parameters()),
        vae_channels=vae.config["block_out_channels"][0],
    )


def network_without_memory(config: TrainingConfig) -> Step1XEditTransformer2DModel:
    """Build the transformer without memory, in the sizes of the weights at hand or else the published ones."""
    release = find_release(config.model.release)
    try:
        _, arguments = open_transformer(locate(release, config.model.weights).transformer, release=release.id)
    except MissingRelease:
        if config.model.weights is not None:
            raise
        arguments = resolve_config(release.id, Record(release=release.id, folded=False), None)
    return empty_transformer(arguments)


def memory_parts(sizes: Sizes, config: TrainingConfig, method: Method, *, tokens: int) -> tuple[MemoryPart, ...]:
    """Return what the training loop holds at its peak, part by part.

    Args:
        sizes: Of the networks.
        config: The run.
        method: Adapters or the weights themselves.
        tokens: Of one example: text, target and reference together. The largest bucket decides.
    """
    stored = _BYTES[config.model.base]
    working = _BYTES["fp32" if config.model.base == "fp32" else "bf16"]
    small = sizes.matrices if method == "lora" else 0
    base = small * stored + (sizes.parameters - small) * working
    trained = 4.0 if method == "lora" else working
    parts = {
        "base weights": base,
        "adapters": sizes.trained * trained if method == "lora" else 0.0,
        "gradients": sizes.trained * trained,
        "optimiser": sizes.trained * _STATE_BYTES[config.optimizer.name],
        "running mean": sizes.trained * 4.0 if config.run.ema_decay else 0.0,
        "one block unpacked": sizes.largest_block * working if stored < working else 0.0,
        "activations": _activations(sizes, config) * working * tokens * config.run.batch,
    }
    return tuple(MemoryPart(name=name, gb=size / 1e9) for name, size in parts.items() if size)


def caching_gb(sizes: Sizes, config: TrainingConfig, *, pixels: int) -> float:
    """Return the peak while VAE and multimodal LLM fill the cache; they are let go before the transformer is loaded."""
    working = _BYTES["fp32" if config.model.base == "fp32" else "bf16"]
    maps = _VAE_MAPS * sizes.vae_channels * pixels * config.data.encode_batch
    return (sizes.mllm + sizes.vae + maps) * working / 1e9


def cache_bytes(sizes: Sizes, *, image_tokens: int, text: int, examples: int) -> int:
    """Return the size on disk of encoded examples: latents of target and reference, two conditionings; two bytes a value.

    Args:
        sizes: Of the networks.
        image_tokens: Target tokens of one example.
        text: Text tokens of one conditioning.
        examples: How many.
    """
    return 2 * examples * (2 * image_tokens * sizes.channels + 2 * text * sizes.conditioning_width)


def checkpoint_bytes(sizes: Sizes, config: TrainingConfig) -> int:
    """Return the size on disk of all checkpoints that stay, and the one being written beside them."""
    state = _STATE_BYTES[config.optimizer.name] + 4.0 + (4.0 if config.run.ema_decay else 0.0)
    return math.ceil(sizes.trained * state) * (config.run.keep + 1)


def text_tokens(release: Release) -> int:
    """Return the tokens of a usual conditioning: the picture as the multimodal LLM sees it, and a short sentence."""
    conventions = release.conventions
    return min(conventions.max_text_tokens, conventions.mllm_max_pixels // _LLM_PATCH_PX**2 + _WORDS)


def _activations(sizes: Sizes, config: TrainingConfig) -> float:
    """Return the widths of one token that are kept, over all blocks, at the peak of the backward pass."""
    cheap = config.run.cheap_recomputation and not config.run.compile
    double, single = (DEAR_DOUBLE_WIDTHS, DEAR_SINGLE_WIDTHS) if cheap else (DOUBLE_WIDTHS, SINGLE_WIDTHS)
    share = config.run.activation_checkpointing
    kept = (1 - share) * (sizes.double_blocks * double + sizes.single_blocks * single)
    kept += share * (sizes.double_blocks + sizes.single_blocks)
    again = DOUBLE_WIDTHS if share or cheap else 0
    return sizes.width * (kept + again + BACKWARD_WIDTHS)


def _trained(network: Step1XEditTransformer2DModel, config: TrainingConfig, method: Method) -> int:
    """Count what learns; adapters on the multimodal LLM, which is not built here, are left out."""
    if method == "full":
        return sum(weight.numel() for _, weight in train_parts(network, config.model))
    train = [part for part in config.model.train if part != "text_encoder"]
    return adapter_parameters(network, config.lora, train=train) if train else 0


def _kept_small(name: str, weight: nn.Parameter) -> bool:
    return weight.ndim == 2 and name.startswith((*_BLOCKS, CONNECTOR))


def _vae_arguments(release: Release) -> dict[str, Any]:
    if release.form != "embedded":
        return PUBLISHED_VAE
    beside = json.loads((EMBEDDED / "vae" / "config.json").read_text(encoding="utf-8"))
    return PUBLISHED_VAE | {name: value for name, value in beside.items() if not name.startswith("_")}
