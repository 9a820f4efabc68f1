"""From the picture's size to the working size and back.

The released code bends the picture to the grid and stretches the result back. Unless parity is asked for, the picture keeps
its shape here: it is scaled, padded by reflection to the grid, and the padding is cut off again afterwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from step1x_edit.sampling.resolution import GRID_PX, generation_size

__all__ = ["WorkingFrame", "exact_frame", "released_frame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingFrame:
    """Where the picture lies in the working canvas; sizes are (width, height) in pixels."""

    original: tuple[int, int]
    content: tuple[int, int]
    """The scaled picture, at the canvas's top left."""
    canvas: tuple[int, int]
    """The generation size, both sides divisible by 16."""

    def place(self, image: Image.Image, *, resample: Image.Resampling) -> Image.Image:
        """Scale the picture and pad it by reflection to the canvas."""
        scaled = image if image.size == self.content else image.resize(self.content, resample)
        right, bottom = self.canvas[0] - self.content[0], self.canvas[1] - self.content[1]
        if not right and not bottom:
            return scaled
        return Image.fromarray(np.pad(np.asarray(scaled), ((0, bottom), (0, right), (0, 0)), mode="symmetric"))

    def restore(self, image: Image.Image) -> Image.Image:
        """Cut the padding off and scale back to the original size."""
        content = image.crop((0, 0, *self.content))
        return content if content.size == self.original else content.resize(self.original, Image.Resampling.BICUBIC)


def released_frame(width: int, height: int, *, size_level: int) -> WorkingFrame:
    """Return the frame of the released code: the picture is stretched over the whole canvas."""
    canvas = generation_size(width, height, size_level=size_level)
    return WorkingFrame(original=(width, height), content=canvas, canvas=canvas)


def exact_frame(width: int, height: int, *, size_level: int) -> WorkingFrame:
    """Return a frame that keeps the aspect ratio: an area of at most ``size_level`` squared, padded up to the grid."""
    scale = size_level / math.sqrt(width * height)
    content = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = _up_to_grid(content[0]), _up_to_grid(content[1])
    return WorkingFrame(original=(width, height), content=content, canvas=canvas)


def _up_to_grid(side: int) -> int:
    return max(GRID_PX, math.ceil(side / GRID_PX) * GRID_PX)
