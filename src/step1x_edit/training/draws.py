"""What chance decides in a step: times, noise, positions, each from its own generator.

An example's draws follow from the run's seed, the step and the example's number in the global batch. So one process and
several draw the same, and a resumed run draws what the interrupted one would have drawn, with no state to keep.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from step1x_edit.training.config import ObjectiveConfig
from step1x_edit.training.objective import sample_times

__all__ = ["FlowDraws", "StepSeed", "draw_flow", "draw_moves"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSeed:
    """Where a batch stands in its run."""

    run: int
    """Seed of the run."""
    step: int
    """Number of the optimiser's step."""
    numbers: tuple[int, ...]
    """Number of each example within the global batch: all processes' batches of this step, accumulated ones included."""

    def of_step(self, purpose: str) -> torch.Generator:
        """Return the generator of something that all examples of the global batch share."""
        return _generator(f"{self.run}/{self.step}/{purpose}")

    def of_example(self, index: int, purpose: str) -> torch.Generator:
        """Return the generator of the batch's example at ``index``."""
        return _generator(f"{self.run}/{self.step}/{purpose}/{self.numbers[index]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowDraws:
    """Times and noise of a batch, on the CPU in fp32."""

    times: Float[Tensor, " batch"]
    """1 for noise, 0 for the image."""
    noise: Float[Tensor, "batch tokens channels"]


def draw_flow(seed: StepSeed, objective: ObjectiveConfig, *, tokens: int, channels: int) -> FlowDraws:
    """Draw a time and noise for each example.

    Args:
        seed: Where the batch stands.
        objective: How times are spread.
        tokens: Target tokens of an example; they decide the shift unless ``objective`` names another number.
        channels: Channels of a token.
    """
    times, noise = [], []
    for index in range(len(seed.numbers)):
        generator = seed.of_example(index, "flow")
        times.append(_time(objective, tokens, generator))
        noise.append(torch.randn(tokens, channels, generator=generator))
    return FlowDraws(times=torch.cat(times), noise=torch.stack(noise))


def draw_moves(seed: StepSeed, furthest: int) -> Float[Tensor, " 2"]:
    """Draw by how many tokens all rows and columns of the global batch are moved, 0 to ``furthest``."""
    return torch.randint(furthest + 1, (2,), generator=seed.of_step("moves")).float()


def _time(objective: ObjectiveConfig, tokens: int, generator: torch.Generator) -> Float[Tensor, " 1"]:
    if objective.time_sampling == "uniform":
        return torch.rand(1, generator=generator)
    shifted = objective.time_sampling == "shifted"
    return sample_times(
        1,
        target_tokens=(objective.shift_tokens or tokens) if shifted else None,
        spread=objective.spread,
        generator=generator,
    )


def _generator(place: str) -> torch.Generator:
    digest = hashlib.sha256(place.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))
