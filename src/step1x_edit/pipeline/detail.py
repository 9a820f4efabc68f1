"""Carry a small result back to the full-size picture with the picture's own detail.

Where result and reconstruction of the reference belong together by a local gain (a tone, a colour, nothing at all), the
full-size picture's detail is kept under that gain; where content is new, the gain falls to zero and the enlarged result
stands alone.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

__all__ = ["carry_back", "local_gain"]

_RADIUS = 3
"""Half width of the windows in working pixels."""
_FLAT = 1e-3
"""Variance (of values in 0..1) below which a window counts as flat and its gain as 1."""


def carry_back(result: Image.Image, reconstruction: Image.Image, reference: Image.Image) -> Image.Image:
    """Return the result at the reference's size.

    Args:
        result: Edited picture at working size, without padding.
        reconstruction: The reference as the VAE gives it back at the same size.
        reference: The full-size reference image, RGB.

    Source:
        The local linear model of the guided filter (He, Sun and Tang, 2010), with the residual added back.
    """
    small, small_reference = _tensor(result), _tensor(reconstruction)
    gain = local_gain(small, small_reference)
    size = reference.height, reference.width
    rest = _enlarge(small - gain * small_reference, size)
    full = _enlarge(gain, size) * _tensor(reference) + rest
    pixels = (full.clamp(0, 1) * 255).round().to(torch.uint8)[0].permute(1, 2, 0).numpy()
    return Image.fromarray(pixels)


def local_gain(
    result: Float[Tensor, "1 3 height width"], reference: Float[Tensor, "1 3 height width"]
) -> Float[Tensor, "1 1 height width"]:
    """Return by how much the result repeats the reference's structure around each pixel: 1 as it was, 0 not at all."""
    centred_result, centred_reference = result - _mean(result), reference - _mean(reference)
    covariance = _mean((centred_result * centred_reference).mean(1, keepdim=True))
    variance = _mean(centred_reference.square().mean(1, keepdim=True))
    other = _mean(centred_result.square().mean(1, keepdim=True))
    gain = (covariance + _FLAT) / (variance + _FLAT)
    # Structure that does not correlate is new content: its share of the reference's detail goes.
    likeness = ((covariance + _FLAT) / ((variance + _FLAT) * (other + _FLAT)).sqrt()).clamp(0, 1)
    return _mean((gain * likeness.square()).clamp(0, 1.5))


def _mean(values: Tensor) -> Tensor:
    return avg_pool2d(values, 2 * _RADIUS + 1, stride=1, padding=_RADIUS, count_include_pad=False)


def _enlarge(values: Tensor, size: tuple[int, int]) -> Tensor:
    return interpolate(values, size, mode="bicubic", align_corners=False)


def _tensor(image: Image.Image) -> Float[Tensor, "1 3 height width"]:
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1).unsqueeze(0)
