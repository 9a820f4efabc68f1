"""Encoded examples with random latents and conditioning for the tiny transformer, and an endless row of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from step1x_edit.models.conditioner import Conditioning
from step1x_edit.sampling.positions import zero_positions
from step1x_edit.training.batching import assemble_batch
from step1x_edit.training.examples import Batch, EncodedExample

HIDDEN = 32
"""Of the tiny multimodal LLM."""


def drawn_example(number: int, *, rows: int = 2, columns: int = 3) -> EncodedExample:
    generator = torch.Generator().manual_seed(number)
    length = 3 + number % 4
    target, reference = torch.randn(2, rows * columns, 64, generator=generator)
    changed = torch.rand(rows * columns, generator=generator)
    texts = [
        Conditioning(
            tokens=torch.randn(1, length, HIDDEN, generator=generator),
            mask=torch.ones(1, length, dtype=torch.long),
            positions=zero_positions(length),
        )
        for _ in range(2)
    ]
    return EncodedExample(
        target=target,
        reference=reference,
        rows=rows,
        columns=columns,
        conditioning=texts[0],
        unconditional=texts[1],
        changed=changed,
    )


@dataclass(frozen=True)
class DrawnDeal:
    batch: Batch
    names: tuple[str, ...]
    epoch: int


class DrawnBatches:
    """Shuffled anew in each epoch; every second epoch has another token grid."""

    def __init__(self, *, batch: int, process: int = 0, processes: int = 1, pairs: int = 12) -> None:
        self.batch, self.process, self.processes, self.pairs = batch, process, processes, pairs
        self.dealt = 0

    def batches_in(self, epochs: int) -> int:
        return epochs * (self.pairs // (self.batch * self.processes))

    def deal(self) -> DrawnDeal:
        epoch, place = divmod(self.dealt, self.batches_in(1))
        order = torch.randperm(self.pairs, generator=torch.Generator().manual_seed(epoch)).tolist()
        first = (place * self.processes + self.process) * self.batch
        numbers = order[first : first + self.batch]
        self.dealt += 1
        examples = [drawn_example(number, columns=2 + epoch % 2) for number in numbers]
        batch = assemble_batch(examples, dropped=[number % 3 == 0 for number in numbers])
        return DrawnDeal(batch, tuple(f"pair-{number}" for number in numbers), epoch)

    def state_dict(self) -> dict[str, Any]:
        return {"dealt": self.dealt}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.dealt = state["dealt"]
