"""The time schedule of rectified flow: shifted towards noise for larger pictures."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["schedule_shift", "time_schedule"]

_BASE_SHIFT, _MAX_SHIFT = 0.5, 1.15
_BASE_TOKENS, _MAX_TOKENS = 256, 4096


def schedule_shift(target_tokens: int) -> float:
    """Return mu, the shift of the schedule, from the number of target tokens alone (reference tokens do not count).

    Source:
        Scheduler configuration of the published folders (FLUX.1-dev's dynamic shifting).
    """
    slope = (_MAX_SHIFT - _BASE_SHIFT) / (_MAX_TOKENS - _BASE_TOKENS)
    return _BASE_SHIFT + (target_tokens - _BASE_TOKENS) * slope


def time_schedule(*, steps: int, target_tokens: int) -> Float[Tensor, " times"]:
    """Return the times from 1 (noise) to 0 (image), ``steps + 1`` of them.

    Source:
        ``get_schedule`` of the released code: t = e^mu / (e^mu + 1/u - 1) for u from 1 down to 0.
    """
    uniform = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    factor = math.exp(schedule_shift(target_tokens))
    return (factor * uniform / (1 + (factor - 1) * uniform)).float()
