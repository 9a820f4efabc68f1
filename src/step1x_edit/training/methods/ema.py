"""A running mean of the weights that learn, exact over a stop (diffusers' ``EMAModel``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

__all__ = ["RunningMean"]


class RunningMean:
    """Keep the running mean of parameters, in fp32 whatever their own type.

    Args:
        parameters: What learns, always in the same order.
        decay: Weight of the past once the mean has warmed up; before, (1 + step) / (10 + step).
    """

    def __init__(self, parameters: Sequence[nn.Parameter], *, decay: float) -> None:
        from diffusers.training_utils import EMAModel

        self._parameters = tuple(parameters)
        self._mean = EMAModel([nn.Parameter(value.detach().float()) for value in self._parameters], decay=decay)

    def update(self) -> None:
        """Move the mean towards the present weights; call it after each step of the optimiser."""
        self._mean.step(self._parameters)

    @property
    def decay(self) -> float:
        """Weight of the past at the last update; 0 before the second."""
        return self._mean.cur_decay_value or 0.0

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the parameters be their mean, for validation and export; afterwards they are what they were, to the bit."""
        kept = [value.detach().clone() for value in self._parameters]
        self._mean.copy_to(self._parameters)
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(self._parameters, kept, strict=True):
                    parameter.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """Return the mean and the number of updates: ``mean`` (one tensor a parameter) and ``updates``."""
        return {"mean": list(self._mean.shadow_params), "updates": self._mean.optimization_step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state_dict` was taken, with the same parameters in the same order."""
        with torch.no_grad():
            for own, stored in zip(self._mean.shadow_params, state["mean"], strict=True):
                own.copy_(stored)
        self._mean.optimization_step = int(state["updates"])
