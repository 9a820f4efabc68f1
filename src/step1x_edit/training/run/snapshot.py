"""All that a run is at a moment → a checkpoint, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from step1x_edit.errors import CheckpointError
from step1x_edit.models.checkpoint.strict import listed
from step1x_edit.training.run.checkpoints import Checkpoint
from step1x_edit.training.run.contract import Trainee

__all__ = ["load_weights", "snapshot", "trained_weights"]


def trained_weights(network: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights that learn, by name."""
    return {name: weight for name, weight in network.named_parameters() if weight.requires_grad}


def snapshot(trainee: Trainee, *, step: int, beside: Mapping[str, Any]) -> Checkpoint:
    """Take everything a run needs to go on.

    Args:
        trainee: What is trained.
        step: Steps that are done.
        beside: What the loop itself has to remember.
    """
    return Checkpoint(
        step=step,
        trained=dict(trained_weights(trainee.network)),
        state={
            "optimizers": trainee.optimizers.state_dict(),
            "mean": None if trainee.mean is None else trainee.mean.state_dict(),
            "batches": trainee.batches.state_dict(),
            **beside,
        },
    )


def load_weights(trainee: Trainee, checkpoint: Checkpoint) -> None:
    """Put trained weights, their running mean and the optimisers' state back; the place in the data stays.

    Raises:
        CheckpointError: The checkpoint is of other weights.
    """
    weights = trained_weights(trainee.network)
    _require_same(weights, checkpoint.trained)
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(checkpoint.trained[name])
    trainee.optimizers.load_state_dict(checkpoint.state["optimizers"])
    if trainee.mean is not None and checkpoint.state["mean"] is not None:
        trainee.mean.load_state_dict(checkpoint.state["mean"])


def _require_same(own: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    shapes = {name: tuple(weight.shape) for name, weight in own.items()}
    found = {name: tuple(weight.shape) for name, weight in stored.items()}
    different = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))
    if different:
        raise CheckpointError(
            given=f"a checkpoint of other weights: {listed(different)} differ",
            expected="the weights that this run trains",
            remedy="Start in another folder, or with the config that the run was begun with.",
        )
