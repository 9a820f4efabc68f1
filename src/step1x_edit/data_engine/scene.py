"""Scenes composed from the pool: cut-outs on a background, in its light, with soft edges and a contact shadow.

A scene can be rendered with any choice of its objects, so that a pair differs by exactly what the instruction names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from step1x_edit.data_engine.objects import ObjectClass

__all__ = ["FAINT", "Placed", "Scene", "Shade", "footprint", "in_the_light_of", "render"]

Canvas = Float32[np.ndarray, "height width 3"]
FAINT = 0.02
"""Shadow weaker than this is dropped, so that a shadow has an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade:
    """A shadow on the ground, as a map around its object."""

    dark: Float32[np.ndarray, "height width 1"]
    """0 lit, 1 black."""
    down: int
    """Row of its top left corner below the object's."""
    right: int
    """Column of its top left corner to the right of the object's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One object in a scene."""

    what: ObjectClass
    colour: Float32[np.ndarray, "rows columns 3"]
    """sRGB levels 0..255 in the light of the scene."""
    alpha: Float32[np.ndarray, "rows columns 1"]
    top: int
    left: int
    shadow: float
    """Darkness of its contact shadow, 0..1; the whole of it, where ``shade`` gives the shape."""
    shade: Shade | None = None
    """Its shadow's shape; a spot under the feet when not given."""
    source: str = ""
    """Id of the picture it was cut from."""

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns it covers."""
        rows, columns = self.alpha.shape[:2]
        return slice(self.top, self.top + rows), slice(self.left, self.left + columns)

    @property
    def middle(self) -> tuple[float, float]:
        """Middle of its box (x, y), in pixels."""
        rows, columns = self.alpha.shape[:2]
        return self.left + columns / 2, self.top + rows / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A background and what stands on it, back to front."""

    background: UInt8[np.ndarray, "height width 3"]
    objects: tuple[Placed, ...]
    source: str = ""
    """Id of the photograph behind them; "" for a plain wall."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of all pictures it is made of, each once."""
        return tuple(dict.fromkeys(one for one in (self.source, *(one.source for one in self.objects)) if one))


def render(
    background: UInt8[np.ndarray, "height width 3"], objects: Sequence[Placed]
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw objects, back to front, onto a background."""
    canvas = background.astype(np.float32)
    for one in objects:
        (rows, columns), shade = _shade(one, canvas.shape[:2])
        canvas[rows, columns] *= 1 - shade
        # Written as a sum of two products, an opaque pixel is exactly the object's, whatever lies behind it.
        canvas[one.box] = one.alpha * one.colour + (1 - one.alpha) * canvas[one.box]
    return np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


def footprint(objects: Sequence[Placed], size: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Return where objects and their shadows touch a picture of this size (height, width)."""
    touched = np.zeros(size, dtype=bool)
    for one in objects:
        region, shade = _shade(one, size)
        touched[region] |= shade[..., 0] > 0
        touched[one.box] |= one.alpha[..., 0] > 0
    return touched


def in_the_light_of(
    background: UInt8[np.ndarray, "height width 3"],
    colour: Float32[np.ndarray, "rows columns 3"],
    alpha: Float32[np.ndarray, "rows columns 1"],
    *,
    exposure: float,
) -> Float32[np.ndarray, "rows columns 3"]:
    """Move an object's brightness and tint a little toward those of what lies behind it.

    Args:
        background: The part of the picture behind the object.
        colour: The object's own sRGB levels.
        alpha: Its matte.
        exposure: Factor on its brightness, for variety.
    """
    behind = background.reshape(-1, 3).mean(axis=0) + 1
    own = (colour * alpha).sum(axis=(0, 1)) / (alpha.sum() + 1e-6) + 1
    brightness = np.clip((behind.mean() / own.mean()) ** 0.2, 0.8, 1.15)
    tint = np.clip((behind / behind.mean()) ** 0.15, 0.9, 1.1)
    return np.minimum(colour * (brightness * exposure * tint).astype(np.float32), 255)


def _shade(one: Placed, size: tuple[int, int]) -> tuple[tuple[slice, slice], Float32[np.ndarray, "rows columns 1"]]:
    """Return the contact shadow: the part of the picture it lies in, and its darkness there."""
    rows, columns = one.alpha.shape[:2]
    if not one.shadow:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0, 1), dtype=np.float32)
    if one.shade is not None:
        return _shaped(one, one.shade, size)
    feet = np.flatnonzero(one.alpha[-max(1, rows // 6) :, :, 0].max(axis=0) > 0.5)
    first, last = (feet[0], feet[-1]) if len(feet) else (0, columns - 1)
    across = 0.6 * (last - first + 1) + 1
    down = 0.22 * across + 1
    middle_x, middle_y = one.left + (first + last) / 2, one.top + rows - 0.5 * down
    # Beyond two radii the shadow of any darkness is below FAINT.
    region = tuple(
        slice(max(0, int(middle - 2 * radius)), min(limit, int(middle + 2 * radius) + 1))
        for middle, radius, limit in ((middle_y, down, size[0]), (middle_x, across, size[1]))
    )
    y = (np.arange(region[0].start, region[0].stop, dtype=np.float32) - middle_y)[:, None] / down
    x = (np.arange(region[1].start, region[1].stop, dtype=np.float32) - middle_x)[None] / across
    shade = one.shadow * np.exp(-(x**2 + y**2))
    shade[shade < FAINT] = 0
    return (region[0], region[1]), shade[..., None].astype(np.float32)


def _shaped(
    one: Placed, shade: Shade, size: tuple[int, int]
) -> tuple[tuple[slice, slice], Float32[np.ndarray, "rows columns 1"]]:
    """Return the part of a shadow's map that lies in the picture, and where."""
    starts = (one.top + shade.down, one.left + shade.right)
    region, inside = [], []
    for start, extent, limit in zip(starts, shade.dark.shape[:2], size, strict=True):
        low, high = min(limit, max(0, start)), max(0, min(limit, start + extent))
        region.append(slice(low, max(low, high)))
        inside.append(slice(low - start, max(low, high) - start))
    return (region[0], region[1]), one.shadow * shade.dark[inside[0], inside[1]]
