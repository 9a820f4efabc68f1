"""Padded context tokens without their cost: equal pads are folded into a few weighted ones, exactly.

v1.0 and v1.1 pad the conditioning with zeros to 640 tokens and do not mask the pads in the transformer. All pads of a
sample share embedding and rotary id and see the same keys, so they stay equal through every block. A key that stands for
P equal keys has log P added to its attention logit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["FoldedConditioning", "fold_padding", "key_bias_of"]

_PAD_SLOTS = 2
"""Two slots, so that the rounding of the first one's bias in bfloat16 is made good by the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedConditioning:
    """Conditioning whose pads are folded."""

    tokens: Float[Tensor, "batch slots hidden"]
    mask: Int[Tensor, "batch slots"]
    """1 for real tokens, 0 for pad slots."""
    key_bias: Float[Tensor, "batch slots"]
    """Added to the attention logits of these keys, for every query of every block of the transformer."""


def fold_padding(
    tokens: Float[Tensor, "batch length hidden"],
    mask: Int[Tensor, "batch length"],
    *,
    padded_length: int,
    dtype: torch.dtype,
    multiple: int = 1,
) -> FoldedConditioning:
    """Replace the pads up to ``padded_length`` by at most a few that weigh as much.

    Args:
        tokens: Conditioning, zero wherever ``mask`` is 0; may be shorter than ``padded_length``.
        mask: 1 for real tokens, all of which come first.
        padded_length: Length the release pads to (640).
        dtype: Type in which attention adds the bias; its rounding is compensated.
        multiple: The number of slots is rounded up to a multiple of this; further pads take the further slots.

    Returns:
        Folded conditioning of ``min(longest + 2, padded_length)`` slots.
    """
    lengths = mask.sum(1).tolist()
    slots = min(math.ceil((max(lengths) + _PAD_SLOTS) / multiple) * multiple, padded_length)
    grown = max(0, slots - tokens.shape[1])
    biases = [key_bias_of(length, slots=slots, padded_length=padded_length, dtype=dtype) for length in lengths]
    return FoldedConditioning(
        tokens=pad(tokens, (0, 0, 0, grown))[:, :slots],
        mask=pad(mask, (0, grown))[:, :slots],
        key_bias=torch.stack(biases).to(tokens.device),
    )


def key_bias_of(length: int, *, slots: int, padded_length: int, dtype: torch.dtype) -> Float[Tensor, " slots"]:
    """Return the logit biases of one sample: zero for real tokens, pads weighing ``padded_length - length`` together.

    The first pad slot takes the largest representable bias that leaves at least the weight of the others; slots between
    weigh 1; the last one takes what is left.
    """
    bias = torch.zeros(slots, dtype=torch.float64)
    pads, pad_slots = padded_length - length, slots - length
    if pad_slots > 1 and pads > pad_slots:
        first = _round_down(math.log(pads - pad_slots + 1), dtype)
        bias[length] = first
        bias[-1] = math.log(pads - (pad_slots - 2) - math.exp(first))
    return bias.to(dtype)


def _round_down(value: float, dtype: torch.dtype) -> float:
    rounded = torch.tensor(value, dtype=torch.float64).to(dtype)
    if float(rounded) > value:
        rounded = torch.nextafter(rounded, torch.zeros((), dtype=dtype))
    return float(rounded)
