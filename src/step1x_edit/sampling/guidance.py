"""Classifier-free guidance with the paper's norm clamp."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

__all__ = ["guided_velocity"]


def guided_velocity(
    conditional: Float[Tensor, "batch tokens channels"],
    unconditional: Float[Tensor, "batch tokens channels"],
    *,
    scale: float,
    clamp_power: float | None = None,
) -> Float[Tensor, "batch tokens channels"]:
    """Push the velocity away from the unconditional one.

    Args:
        conditional: Velocity with the instruction.
        unconditional: Velocity with the negative instruction.
        scale: Guidance scale; 1 gives the conditional velocity.
        clamp_power: Exponent of the clamp; each token's difference is divided by max(1, its norm) to this power. ``None``
            leaves the difference as it is.

    Source:
        ``denoise`` of the released code (power 0.4 over the 64 channels of a token).
    """
    difference = conditional - unconditional
    if clamp_power is not None:
        norm = difference.norm(dim=-1, keepdim=True)
        difference = difference / norm.clamp(min=1.0) ** clamp_power
    return unconditional + scale * difference
