"""What every training run of nano's keeps: a running mean of the weights, and files that are always whole."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from step1x_edit.store.shard import disk_errors

__all__ = ["average_weights", "save_network"]

_EMA_DECAY = 0.999


def average_weights(kept: nn.Module, trained: nn.Module, step: int) -> None:
    """Move the kept weights towards the trained ones, faster in the first steps."""
    share = 1 - min(_EMA_DECAY, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, value in zip(kept.parameters(), trained.parameters(), strict=True):
            mean.lerp_(value, share)


def save_network(network: ModelMixin, folder: Path) -> None:
    """Write ``config.json`` and safetensors weights; a reader never meets a half-written file.

    Raises:
        DataError: The disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with disk_errors(folder), tempfile.TemporaryDirectory(dir=folder) as temporary:
        network.save_pretrained(temporary)
        for file in sorted(Path(temporary).iterdir()):
            file.replace(folder / file.name)
