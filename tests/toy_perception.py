"""The perceptual expert on files of its real form with few channels, so that its arithmetic is tested without its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from step1x_edit.experts.perceptual_distance import BLOCKS

h5py = pytest.importorskip("h5py", reason="needs the extra `data`")
CHANNELS = 6


def write_toy_perception(features: Path, weights: Path) -> None:
    """Write weights by chance: of the five blocks as HED's file has them, and of LPIPS's five linear layers."""
    rng = np.random.default_rng(8)
    channels = 3
    with h5py.File(features, "w") as file:
        for block, count in enumerate(BLOCKS, start=1):
            for layer in range(count):
                variables = file.create_group(f"block{block}/layers/conv2d{f'_{layer}' if layer else ''}/vars")
                kernel = rng.normal(0, (2 / (9 * channels)) ** 0.5, (3, 3, channels, CHANNELS))
                variables["0"], variables["1"] = kernel.astype(np.float32), np.zeros(CHANNELS, dtype=np.float32)
                channels = CHANNELS
    linear = torch.from_numpy(rng.uniform(0.1, 1, (len(BLOCKS), 1, CHANNELS, 1, 1)).astype(np.float32))
    torch.save({f"lin{number}.model.1.weight": one.clone() for number, one in enumerate(linear)}, weights)
