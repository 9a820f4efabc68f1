"""Surfaces drawn here: wood, marble, brick, leather, stone, paper. Each is a seamless tile of colours and of slopes.

Nothing is taken from a picture, so a tile is as large and as free as it needs to be, and two objects of one material do
not share a repeated spot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

__all__ = ["SIDE", "TEXTURES", "Texture"]

SIDE = 512
"""Side of a tile in pixels."""
Plane = Float32[np.ndarray, "side side"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texture:
    """One seamless tile."""

    colour: Float32[np.ndarray, "side side 3"]
    """sRGB levels under even light."""
    slopes: Float32[np.ndarray, "side side 2"]
    """How the surface falls to the right and down, added to the normals of the object's form."""


def _noise(rng: np.random.Generator, *, power: float, stretch: float = 1.0, finest: float = 1.0) -> Plane:
    """Return seamless noise of mean 0 and deviation 1 whose amplitude falls as frequency to the minus ``power``.

    ``stretch`` draws it out downwards; features finer than ``finest`` pixels are left out.
    """
    down, across = np.fft.fftfreq(SIDE)[:, None] * stretch, np.fft.rfftfreq(SIDE)[None]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1
    amplitude = frequency**-power * np.exp(-((frequency * finest) ** 2))
    amplitude[0, 0] = 0
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(SIDE, SIDE))) * amplitude, s=(SIDE, SIDE))
    return (noise / noise.std()).astype(np.float32)


def _cells(rng: np.random.Generator, count: int) -> tuple[Plane, Plane, np.ndarray]:
    """Part a tile into about ``count`` x ``count`` cells: distance to the nearest and second seed, and the cell's number."""
    pitch = SIDE / count
    seeds = (np.moveaxis(np.mgrid[:count, :count], 0, -1) + rng.uniform(0.1, 0.9, (count, count, 2))) * pitch
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5
    near = np.full((SIDE, SIDE), np.inf, dtype=np.float32)
    second, owner = near.copy(), np.zeros((SIDE, SIDE), dtype=np.int32)
    own_row, own_column = (rows // pitch).astype(int), (columns // pitch).astype(int)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            row, column = own_row + down, own_column + across
            seed = seeds[row % count, column % count]
            # Beyond the edge the tile begins again.
            seed = seed + np.stack([row // count, column // count], axis=-1) * SIDE
            distance = np.hypot(rows - seed[..., 0], columns - seed[..., 1]).astype(np.float32) / pitch
            nearer = distance < near
            second = np.where(nearer, near, np.minimum(second, distance))
            owner = np.where(nearer, (row % count) * count + column % count, owner)
            near = np.where(nearer, distance, near)
    return near, second, owner


def _slopes(height: Plane) -> Float32[np.ndarray, "side side 2"]:
    right = (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1)) / 2
    down = (np.roll(height, -1, axis=0) - np.roll(height, 1, axis=0)) / 2
    return np.stack([right, down], axis=-1)


def _blended(share: Plane, dark: tuple[float, ...], bright: tuple[float, ...]) -> Float32[np.ndarray, "side side 3"]:
    mix = np.clip(share, 0, 1)[..., None]
    return (np.array(dark) * (1 - mix) + np.array(bright) * mix).astype(np.float32)


def _wood(rng: np.random.Generator) -> Texture:
    across = np.linspace(0, 1, SIDE, endpoint=False, dtype=np.float32)[None]
    bend = 0.055 * _noise(rng, power=2.4, stretch=4, finest=12) + 0.012 * _noise(rng, power=1.6, stretch=5, finest=6)
    ring = ((across + bend) * 9) % 1
    # A ring darkens slowly and ends at once, as late wood does.
    late = ring**2 * np.clip((1 - ring) / 0.12, 0, 1)
    fibre = _noise(rng, power=0.4, stretch=40, finest=1)
    share = 0.75 - 0.55 * late + 0.09 * fibre + 0.08 * _noise(rng, power=2, finest=20)
    return Texture(colour=_blended(share, (92, 48, 22), (205, 148, 92)), slopes=_slopes(0.35 * fibre - 0.8 * late))


def _marble(rng: np.random.Generator) -> Texture:
    veins = np.zeros((SIDE, SIDE), dtype=np.float32)
    for width, weight in ((0.05, 0.8), (0.03, 0.6), (0.09, 0.4), (0.03, 0.5)):
        # A vein runs where a slow noise crosses zero, and fades in and out along its way.
        along = np.clip(0.55 + 0.5 * _noise(rng, power=2.2, finest=14), 0, 1)
        course = _noise(rng, power=2.05, finest=3)
        veins = np.maximum(veins, weight * along * np.exp(-np.abs(course) / width))
    cloud = 0.5 + 0.18 * _noise(rng, power=2.0, finest=4)
    body = _blended(cloud, (208, 206, 204), (247, 246, 243))
    colour = body + veins[..., None] * (np.array([96, 98, 104], dtype=np.float32) - body)
    return Texture(colour=colour, slopes=np.zeros((SIDE, SIDE, 2), dtype=np.float32))


def _brick(rng: np.random.Generator) -> Texture:
    courses, per_course = 12, 5
    wobble = 1.6 * _noise(rng, power=1.5, finest=4)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    rows, columns = rows + wobble, columns + wobble
    course = np.floor(rows * courses / SIDE)
    along = columns * per_course / SIDE + 0.5 * (course % 2)
    number = (course % courses * per_course + np.floor(along) % per_course).astype(int)
    height, width = SIDE / courses, SIDE / per_course
    edge = np.minimum.reduce([
        rows % height, height - rows % height, along % 1 * width, width - along % 1 * width,
    ])  # fmt: skip
    solid = np.clip((edge - 2.2) / 2.0, 0, 1)
    own = rng.normal(0, 0.2, courses * per_course)[number]
    grain = _noise(rng, power=0.9, finest=1)
    bricks = _blended((0.5 + own + 0.14 * grain).astype(np.float32), (122, 48, 34), (196, 100, 72))
    mortar = _blended(0.5 + 0.2 * grain, (160, 152, 142), (202, 196, 186))
    colour = mortar + solid[..., None] * (bricks - mortar)
    return Texture(
        colour=colour, slopes=_slopes((3.0 * np.clip((edge - 1) / 4, 0, 1) + 0.35 * grain).astype(np.float32))
    )


def _leather(rng: np.random.Generator) -> Texture:
    near, second, _ = _cells(rng, 44)
    grain = np.clip((second - near) / 0.35, 0, 1)
    share = 0.35 + 0.35 * grain + 0.14 * _noise(rng, power=1.8, finest=10)
    return Texture(colour=_blended(share, (52, 24, 12), (158, 92, 54)), slopes=_slopes(2.6 * grain))


def _stone(rng: np.random.Generator) -> Texture:
    rough = _noise(rng, power=1.35, finest=1.2)
    pits = np.clip(-_noise(rng, power=0.8, finest=2.5) - 1.3, 0, 1)
    share = 0.52 + 0.13 * rough + 0.1 * _noise(rng, power=2.2, finest=20) - 0.4 * pits
    return Texture(colour=_blended(share, (70, 68, 66), (190, 186, 178)), slopes=_slopes(1.5 * rough - 2.5 * pits))


def _paper(rng: np.random.Generator) -> Texture:
    slopes = np.zeros((SIDE, SIDE, 2), dtype=np.float32)
    for count, steep in ((5, 0.13), (9, 0.09), (17, 0.05)):
        # Crumpled paper is flat facets that meet in sharp folds.
        near, second, owner = _cells(rng, count)
        slopes += rng.normal(0, steep, (count * count, 2)).astype(np.float32)[owner]
        slopes += _slopes(SIDE / count * 0.05 * np.exp(-(second - near) / 0.05))
    fibre = _noise(rng, power=0.5, finest=1.5)
    colour = _blended(0.6 + 0.08 * fibre, (214, 208, 196), (246, 243, 236))
    return Texture(colour=colour, slopes=slopes + _slopes(0.06 * fibre))


TEXTURES: dict[str, Callable[[np.random.Generator], Texture]] = {
    "wood": _wood,
    "marble": _marble,
    "brick": _brick,
    "leather": _leather,
    "stone": _stone,
    "paper": _paper,
}
"""What can be drawn."""
