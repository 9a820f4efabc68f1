"""The process's own random generators (python, numpy, torch), which only dropout draws from.

Times, noise and dropped instructions follow from numbers alone (:mod:`step1x_edit.training.draws`).
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

__all__ = ["random_states", "restore_random_states", "seed_everything"]


def seed_everything(seed: int, *, process: int) -> None:
    """Seed python, numpy and torch; each process differently, so that dropout differs between them."""
    state = int(np.random.SeedSequence((seed, process)).generate_state(1, np.uint64)[0] >> np.uint64(1))
    random.seed(state)
    np.random.seed(state % (1 << 32))
    torch.manual_seed(state)


def random_states() -> dict[str, Any]:
    """Return the states of python's, numpy's and torch's generators (all devices) as a tree for a checkpoint."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_random_states(states: dict[str, Any]) -> None:
    """Set the generators as they were."""
    random.setstate(states["python"])
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
