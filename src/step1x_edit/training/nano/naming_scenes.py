"""Pictures whose every part is known: named cut-outs in photographs, with the name of what each LLM token sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageEnhance

__all__ = ["CELL_PX", "NAMELESS", "UNDECIDED", "NamingScenes", "Scene"]

CELL_PX = 28
"""Side of the square that one token of the LLM stands for: 2 x 2 patches of 14 px."""
NAMELESS = 0
"""Label of a token that sees background; class ``i`` of the names has label ``i + 1``."""
UNDECIDED = -100
"""Label of a token that sees a little of an object; left out of the loss."""
OBJECT_FROM = 0.35
"""Part of a cell an object must fill to name it."""
LARGEST_PART = 0.4
"""Or the part of the object that must lie in this cell, for objects smaller than a few cells."""
BACKGROUND_BELOW = 0.03
"""Part of a cell that may be covered while it still counts as background."""


Pixels = UInt8[np.ndarray, "_height _width _channels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A picture and what its parts are called."""

    picture: UInt8[np.ndarray, "height width 3"]
    labels: Int[np.ndarray, "rows columns"]


class NamingScenes:
    """Makes scenes without end.

    Args:
        names: The classes in the order of their labels.
        photos: Backgrounds, RGB, without a dominant subject.
        cutouts: Objects by name, RGBA with straight alpha; only names given here occur.
        seed: Same seed, same scenes.
    """

    def __init__(
        self, names: Sequence[str], photos: Sequence[Pixels], cutouts: Mapping[str, Sequence[Pixels]], *, seed: int
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.photos = [Image.fromarray(photo) for photo in photos]
        self.cutouts = {
            names.index(name) + 1: [_small(Image.fromarray(one)) for one in own] for name, own in cutouts.items()
        }

    def make(self, rows: int, columns: int) -> Scene:
        """Set none to two objects into a random crop of a photograph.

        Args:
            rows: Height in cells.
            columns: Width in cells.
        """
        picture = self._background((columns * CELL_PX, rows * CELL_PX))
        owner = np.zeros((picture.height, picture.width), dtype=np.int64)
        count = self.rng.choice(3, p=(0.1, 0.5, 0.4))
        placed = self.rng.choice(list(self.cutouts), size=count, replace=False).tolist()
        for label in placed:
            self._place(picture, owner, label)
        return Scene(picture=np.asarray(self._relit(picture)), labels=_cell_labels(owner, placed))

    def _background(self, size: tuple[int, int]) -> Image.Image:
        photo = self.photos[self.rng.integers(len(self.photos))]
        fit = min(photo.width / size[0], photo.height / size[1]) * self.rng.uniform(0.5, 1)
        width, height = size[0] * fit, size[1] * fit
        left, top = self.rng.uniform(0, photo.width - width), self.rng.uniform(0, photo.height - height)
        return photo.resize(size, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))

    def _place(self, picture: Image.Image, owner: Int[np.ndarray, "height width"], label: int) -> None:
        longest = min(picture.size) * self.rng.uniform(0.3, 0.95)
        cutout = self._varied(self.cutouts[label][self.rng.integers(len(self.cutouts[label]))], longest)
        # Up to a fifth may lie outside the picture.
        left, top = (
            int(self.rng.uniform(-0.2 * own, whole - 0.8 * own))
            for own, whole in zip(cutout.size, picture.size, strict=True)
        )
        picture.paste(cutout, (left, top), cutout)
        seen = Image.new("L", picture.size)
        seen.paste(cutout.getchannel("A"), (left, top))
        owner[np.asarray(seen) > 127] = label

    def _varied(self, cutout: Image.Image, longest: float) -> Image.Image:
        scale, stretch = longest / max(cutout.size), self.rng.uniform(0.85, 1.15)
        size = max(4, round(cutout.width * scale)), max(4, round(cutout.height * scale * stretch))
        cutout = cutout.resize(size, Image.Resampling.BILINEAR)
        if self.rng.random() < 0.5:
            cutout = cutout.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.rng.random() < 0.5:
            cutout = cutout.rotate(self.rng.uniform(-20, 20), Image.Resampling.BILINEAR, expand=True)
        return cutout.point([*self._curve(), *self._curve(), *self._curve(), *range(256)])

    def _curve(self) -> list[int]:
        return [min(255, round(value * gain)) for gain in [self.rng.uniform(0.85, 1.15)] for value in range(256)]

    def _relit(self, picture: Image.Image) -> Image.Image:
        for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            picture = change(picture).enhance(self.rng.uniform(0.7, 1.3))
        return picture


def _small(cutout: Image.Image) -> Image.Image:
    """Shrink once to about the largest size a cut-out is used in."""
    cutout.thumbnail((112, 112), Image.Resampling.LANCZOS)
    return cutout


def _cell_labels(owner: Int[np.ndarray, "height width"], placed: Sequence[int]) -> Int[np.ndarray, "rows columns"]:
    covered = _cell_means(owner > 0)
    labels = np.where(covered < BACKGROUND_BELOW, NAMELESS, UNDECIDED)
    for label in placed:
        part = _cell_means(owner == label)
        named = (part >= OBJECT_FROM) | ((part > BACKGROUND_BELOW) & (part >= LARGEST_PART * part.sum()))
        named &= part > covered / 2
        labels[named] = label
    return labels


def _cell_means(mask: np.ndarray) -> Float[np.ndarray, "rows columns"]:
    height, width = mask.shape
    return mask.reshape(height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX).mean(axis=(1, 3))
