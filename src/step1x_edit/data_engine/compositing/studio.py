"""A studio table: a softly lit sweep of paper, on which food and things are photographed."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

__all__ = ["FLOOR", "studio"]

FLOOR = (0.08, 0.76, 0.92, 0.93)
"""Where things stand: left, top, right, bottom in fractions."""
PAPERS = (
    (226, 224, 220), (205, 206, 208), (232, 222, 206), (198, 186, 170), (176, 190, 200), (190, 200, 184),
    (222, 204, 198), (150, 156, 164), (208, 196, 150), (170, 176, 196), (120, 128, 132), (214, 214, 222),
)  # fmt: skip
"""Colours of paper, sRGB."""


def studio(size: int, rng: np.random.Generator) -> UInt8[np.ndarray, "size size 3"]:
    """Draw an empty studio table: a wall that darkens upward and a floor that lies in the light, with a soft bend.

    Args:
        size: Side in pixels.
        rng: Draws paper, light and grain.
    """
    paper = np.array(PAPERS[int(rng.integers(len(PAPERS)))], dtype=np.float32) * rng.uniform(0.85, 1.05)
    y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j].astype(np.float32)
    bend, width = rng.uniform(0.5, 0.66), rng.uniform(0.03, 0.12)
    floor = 1 / (1 + np.exp(-(y - bend) / width))
    wall_light = rng.uniform(0.72, 0.92) - rng.uniform(0.0, 0.2) * (bend - y)
    floor_light = rng.uniform(0.95, 1.06) - rng.uniform(0.0, 0.12) * (1 - y)
    side = rng.uniform(-0.16, 0.16) * (x - 0.5) * 2
    spot = rng.uniform(0.05, 0.16) * np.exp(-(((x - rng.uniform(0.3, 0.7)) ** 2 + (y - 0.45) ** 2) / 0.25))
    light = wall_light + floor * (floor_light - wall_light) + side + spot
    tone = paper * light[..., None] + rng.normal(0, rng.uniform(0.6, 2.2), (size, size, 1))
    return np.clip(tone, 0, 255).astype(np.uint8)
