"""How much memory a run has taken at most."""

from __future__ import annotations

import resource
import sys

import torch

__all__ = ["peak_memory_gib"]

_UNITS_PER_GIB = 1 << 30 if sys.platform == "darwin" else 1 << 20
"""``ru_maxrss`` counts KiB on Linux and bytes on macOS."""


def peak_memory_gib(device: torch.device) -> float:
    """Return the largest memory so far in GiB: of tensors on a CUDA device, resident in the process otherwise."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / (1 << 30)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNITS_PER_GIB
