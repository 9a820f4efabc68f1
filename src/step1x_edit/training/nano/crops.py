"""Training pictures of nano's autoencoder: crops of photographs, composites, plain colours, shapes and lettering.

The autoencoder has to carry what edits make, not only what cameras see: photographs turned night, warm or grey, objects
on plain backgrounds, flat colours without any texture, and hard edges. Each kind has its share below.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from step1x_edit.errors import DataError

__all__ = ["CropSampler", "centre_square", "to_range"]

COMPOSITE_SHARE, FLAT_SHARE, DRAWN_SHARE = 0.3, 0.04, 0.04
"""Shares of cut-outs on something, of colours and gradients, and of shapes with lettering; the rest: photographs."""
TONE_SHARE = 0.5
"""Share of photographs whose tone is changed."""
LETTERS = "ABCDEFGHKLMNOPRSTUVWXYZabdeghknrst0123456789&?!"

Pixels = UInt8[np.ndarray, "_ _ _"]
"""A picture (height, width, channels); pictures of a collection differ in size."""


def to_range(picture: UInt8[np.ndarray, "height width 3"]) -> Float[Tensor, "3 height width"]:
    """Bring 8-bit RGB pixels to the autoencoder's range, -1 (black) to 1 (full)."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1


def centre_square(picture: Pixels, side_px: int) -> Pixels:
    """Cut the largest centred square and resize it (Lanczos) to ``side_px``."""
    height, width = picture.shape[:2]
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return _resize(picture, (left, top, left + side, top + side), side_px)


def _resize(picture: Pixels, box: tuple[float, float, float, float], side_px: int) -> Pixels:
    resized = Image.fromarray(picture).resize((side_px, side_px), Image.Resampling.LANCZOS, box=box)
    return np.array(resized)


class CropSampler:
    """An endless, seeded source of training batches.

    Args:
        photographs: RGB pictures of any size.
        cutouts: RGBA objects with straight alpha; none are needed.
        seed: Same seed, same batches.

    Raises:
        DataError: There is no photograph.
    """

    def __init__(self, photographs: Sequence[Pixels], cutouts: Sequence[Pixels] = (), *, seed: int) -> None:
        if not photographs:
            raise DataError(
                given="no photograph",
                expected="at least one RGB picture to crop from",
                remedy="Build the pool of source pictures first.",
            )
        self._photographs = photographs
        self._cutouts = cutouts
        self._random = np.random.default_rng(seed)

    def batch(self, size: int, side_px: int) -> Float[Tensor, "batch 3 side side"]:
        """Return ``size`` crops of ``side_px``, channels last in memory, values -1..1."""
        crops = torch.stack([to_range(self._picture(side_px)) for _ in range(size)])
        return crops.contiguous(memory_format=torch.channels_last)

    def _one_of(self, pictures: Sequence[Pixels]) -> Pixels:
        return pictures[int(self._random.integers(len(pictures)))]

    def _picture(self, side_px: int) -> Pixels:
        kind = self._random.random()
        if kind < DRAWN_SHARE:
            return self._drawn(side_px)
        if kind < DRAWN_SHARE + FLAT_SHARE:
            return self._flat(side_px)
        if kind < DRAWN_SHARE + FLAT_SHARE + COMPOSITE_SHARE and self._cutouts:
            return self._composite(side_px)
        photograph = self._photograph(side_px)
        return self._toned(photograph) if self._random.random() < TONE_SHARE else photograph

    def _photograph(self, side_px: int) -> Pixels:
        """Cut a square of any size, from the crop's own side to the whole short side, and mirror half of them."""
        picture = self._one_of(self._photographs)
        height, width = picture.shape[:2]
        longest = min(height, width)
        side = np.exp(self._random.uniform(np.log(min(side_px, longest)), np.log(longest)))
        left, top = self._random.uniform(0, width - side), self._random.uniform(0, height - side)
        crop = _resize(picture, (left, top, left + side, top + side), side_px)
        return crop[:, ::-1] if self._random.random() < 0.5 else crop

    def _toned(self, picture: Pixels) -> Pixels:
        """Change saturation, white balance, gamma and range, as tone and colour edits do."""
        values = picture.astype(np.float32) / 255
        grey = values.mean(axis=2, keepdims=True)
        values = grey + (values - grey) * self._random.choice([0.0, 0.6, 1.3, 1.8])
        values = np.clip(values * self._random.uniform(0.7, 1.25, 3).astype(np.float32), 0, 1)
        values = values ** self._random.uniform(0.6, 1.8)
        low, high = self._random.uniform(0, 0.25), self._random.uniform(0.6, 1)
        return np.clip((low + values * (high - low)) * 255, 0, 255).astype(np.uint8)

    def _colour(self) -> tuple[int, ...]:
        """Draw a colour, one time in three a fully saturated one or an end of the grey scale."""
        if self._random.random() < 1 / 3:
            return tuple(int(value) for value in self._random.choice([0, 128, 255], 3))
        return tuple(int(value) for value in self._random.integers(0, 256, 3))

    def _flat(self, side_px: int) -> Pixels:
        """One colour, or one running into another in any direction."""
        first = np.array(self._colour(), np.float32)
        second = first if self._random.random() < 0.5 else np.array(self._colour(), np.float32)
        angle = self._random.uniform(0, 2 * np.pi)
        rows, columns = np.mgrid[0:side_px, 0:side_px] / side_px - 0.5
        share = np.clip(rows * np.sin(angle) + columns * np.cos(angle) + 0.5, 0, 1)[..., None]
        return (first + (second - first) * share).astype(np.uint8)

    def _composite(self, side_px: int) -> Pixels:
        """A cut-out of any size and place on a photograph or a flat colour."""
        on_photograph = self._random.random() < 0.5
        canvas = Image.fromarray(self._photograph(side_px) if on_photograph else self._flat(side_px))
        cutout = Image.fromarray(self._one_of(self._cutouts))
        scale = self._random.uniform(0.4, 1.0) * side_px / max(cutout.size)
        width, height = (max(4, round(side * scale)) for side in cutout.size)
        cutout = cutout.resize((width, height), Image.Resampling.LANCZOS)
        place = (self._start(width, side_px), self._start(height, side_px))
        canvas.paste(cutout, place, cutout)
        return np.array(canvas)

    def _start(self, side: int, room: int) -> int:
        """Where an object begins along one axis: up to a quarter of it may lie outside."""
        return int(self._random.integers(-side // 4, max(room - side * 3 // 4, 1)))

    def _drawn(self, side_px: int) -> Pixels:
        """Hard-edged shapes and lettering, drawn at twice the size so that edges come out smooth."""
        side = 2 * side_px
        canvas = Image.fromarray(self._flat(side))
        pen = ImageDraw.Draw(canvas)
        for _ in range(self._random.integers(1, 4)):
            first, second = np.sort(self._random.integers(0, side, (2, 2)), axis=0).tolist()
            shape = pen.ellipse if self._random.random() < 0.5 else pen.rectangle
            shape([*first, *second], fill=self._colour())
        for _ in range(self._random.integers(0, 4)):
            text = "".join(self._random.choice(list(LETTERS), self._random.integers(2, 8)))
            font = ImageFont.load_default(size=float(self._random.uniform(side / 12, side / 3)))
            pen.text(tuple(self._random.uniform(0, side * 0.7, 2)), text, fill=self._colour(), font=font)
        return np.array(canvas.resize((side_px, side_px), Image.Resampling.BOX))
