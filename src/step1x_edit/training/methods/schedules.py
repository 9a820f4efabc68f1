"""How the learning rate moves over a run: a share of its full value, for each step."""

from __future__ import annotations

import math

from step1x_edit.training.config import OptimizerConfig

__all__ = ["rate_share"]


def rate_share(config: OptimizerConfig, *, step: int, progress: float) -> float:
    """Return the share of the learning rate that the next step takes.

    Args:
        config: Schedule, warm-up and final share.
        step: Steps done so far.
        progress: Share of the run that has passed, 0..1: of its steps, or under ``minutes`` of its time.

    Returns:
        A number in 0..1. The warm-up rises linearly, by steps, by a share of the run, or by the slower of both.
    """
    warm_up = min(1.0, (step + 1) / config.warm_up_steps) if config.warm_up_steps else 1.0
    if config.warm_up_share:
        # A clock that has not moved yet still lets the first step take a little.
        warm_up = min(warm_up, max(1e-3, min(1.0, progress / config.warm_up_share)))
    if config.schedule == "constant":
        return warm_up
    floor = config.final_share
    return warm_up * (floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, progress))) / 2)
