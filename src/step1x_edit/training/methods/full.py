"""Training whole parts: what learns, and in which type its weights are kept."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from step1x_edit.errors import RequestError
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.training.config import ModelConfig

__all__ = ["CONNECTOR", "full_dtype", "in_part", "train_parts"]

CONNECTOR = "connector."
"""Beginning of the connector's names inside the transformer, where the published checkpoints hold it."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def in_part(name: str, part: str) -> bool:
    """Whether a weight or module of the transformer belongs to a part: ``transformer`` means all but the connector."""
    return name.startswith(CONNECTOR) == (part == "connector")


def full_dtype(base: str) -> torch.dtype:
    """Return the type in which weights that learn are kept.

    fp32 keeps every step; in bf16 a step below 1/256 of a weight is rounded away, so it is for large rates or small memory.

    Args:
        base: ``model.base`` of the config.

    Raises:
        RequestError: A stored form that cannot learn.
    """
    if base not in _DTYPES:
        raise RequestError(
            given=f"model.base = {base} for full training",
            expected="fp32 or bf16, since weights in fewer bits cannot learn",
            remedy="Set model.base to fp32 or bf16, or train adapters on this base with `step1x train lora`.",
        )
    return _DTYPES[base]


def train_parts(transformer: Step1XEditTransformer2DModel, config: ModelConfig) -> list[tuple[str, nn.Parameter]]:
    """Freeze the network except for the parts that learn.

    Args:
        transformer: The network, connector inside; what learns is cast to the type of ``config.base``.
        config: ``train`` names the parts.

    Returns:
        Names and parameters that learn, in the network's order.

    Raises:
        RequestError: The multimodal LLM is asked for, or the stored form cannot learn.
    """
    dtype = full_dtype(config.base)
    _refuse_text_encoder(config.train)
    transformer.requires_grad_(False)
    chosen = []
    for name, parameter in transformer.named_parameters():
        if any(in_part(name, part) for part in config.train):
            parameter.data = parameter.data.to(dtype)
            chosen.append((name, parameter.requires_grad_(True)))
    return chosen


def _refuse_text_encoder(train: Sequence[str]) -> None:
    if "text_encoder" in train:
        raise RequestError(
            given="model.train with text_encoder for full training",
            expected="transformer, connector or both; the multimodal LLM learns through adapters alone",
            remedy="Take text_encoder out of model.train, or use `step1x train lora`.",
        )
