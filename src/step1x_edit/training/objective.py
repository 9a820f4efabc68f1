"""The objective: rectified flow on the target tokens (paper section 3; velocity is noise minus image)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from step1x_edit.sampling.schedule import schedule_shift

__all__ = ["example_losses", "noisy_target", "sample_times"]


def sample_times(
    batch: int, *, target_tokens: int | None = None, spread: float = 1.0, generator: torch.Generator | None = None
) -> Float[Tensor, " batch"]:
    """Draw times in 0..1, logit-normal, shifted towards noise as the schedule shifts for a number of tokens.

    Args:
        batch: How many.
        target_tokens: Number that decides the shift; ``None`` for no shift.
        spread: Standard deviation before the sigmoid.
        generator: Source of randomness.

    Source:
        Released trainer, ``timestep_sampling shift``: c u / (1 + (c - 1) u) with u = sigmoid(spread * normal).
    """
    uniform = torch.sigmoid(spread * torch.randn(batch, generator=generator))
    factor = 1.0 if target_tokens is None else math.exp(schedule_shift(target_tokens))
    return factor * uniform / (1 + (factor - 1) * uniform)


def noisy_target(
    target: Float[Tensor, "batch tokens channels"],
    noise: Float[Tensor, "batch tokens channels"],
    times: Float[Tensor, " batch"],
) -> Float[Tensor, "batch tokens channels"]:
    """Return the point on the straight path from target (time 0) to noise (time 1)."""
    return torch.lerp(target, noise, times[:, None, None])


def example_losses(
    velocity: Float[Tensor, "batch tokens channels"],
    target: Float[Tensor, "batch tokens channels"],
    noise: Float[Tensor, "batch tokens channels"],
    *,
    weights: Float[Tensor, "batch tokens"] | None = None,
) -> Float[Tensor, " batch"]:
    """Mean squared error of the velocity of each example, in fp32.

    Each example's mean is divided by the mean of its own weights, so an example counts alike in any batch and a global
    batch gives the same on one process or several.

    Args:
        velocity: The network's answer.
        target: Target latents, packed.
        noise: The noise they were mixed with.
        weights: Weight of each token; all alike by default.
    """
    error = (velocity.float() - (noise - target)).square().mean(-1)
    if weights is None:
        return error.mean(-1)
    return (error * weights).sum(-1) / weights.sum(-1)
