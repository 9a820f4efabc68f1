"""What the processes of a run tell each other, through accelerate; one process tells itself."""

from __future__ import annotations

from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, gather_object, reduce
from torch import Tensor

__all__ = ["Processes"]

Said = TypeVar("Said")


class Processes:
    """The processes of a run, seen from one of them.

    Args:
        accelerator: Holds them together.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._device = accelerator.device
        self.number = accelerator.process_index
        self.count = accelerator.num_processes

    @property
    def alone(self) -> bool:
        """Whether this is the only one."""
        return self.count == 1

    @property
    def main(self) -> bool:
        """Whether this is the one that writes and reports."""
        return self.number == 0

    def mean(self, value: Tensor) -> float:
        """Return the mean of a scalar over all processes."""
        return float(value if self.alone else reduce(value, reduction="mean"))  # pyright: ignore[reportArgumentType]

    def from_main(self, *values: float) -> list[float]:
        """Return the main process's numbers in every process."""
        if self.alone:
            return list(values)
        said = torch.tensor(values, dtype=torch.float64, device=self._device)
        return broadcast(said).tolist()  # pyright: ignore[reportAttributeAccessIssue] - a tensor stays one

    def gathered(self, said: Said) -> list[Said]:
        """Return what each process says, in their order."""
        return [said] if self.alone else gather_object([said])
