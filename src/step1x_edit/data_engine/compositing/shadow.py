"""Shadows on the ground: dark where an object touches it, and thrown away from the light, softer with distance."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from step1x_edit.data_engine.compositing.light import Light
from step1x_edit.data_engine.scene import FAINT, Shade
from step1x_edit.experts.extras import optional_package

__all__ = ["cast_shadow"]

CONTACT = 0.8
"""Darkness right under the feet."""
THROWN = (0.3, 0.5)
"""Darkness of the thrown shadow in soft and in hard light."""
LEAN = 0.8
"""How far a shadow is thrown aside, for light from the very side, as a share of the object's height."""
FLAT = 0.16
"""How high an object's shadow rises on the ground behind it, as a share of its height."""
FEET = 0.12
"""The lowest part of an object, as a share of its height, that touches the ground."""
BODY = 0.4
"""A part of an object nearer to the ground than this share of its height takes light from it."""
SOFT = (0.05, 0.02)
"""Blur of the thrown shadow in soft and in hard light, as a share of the object's height."""


def cast_shadow(alpha: Float32[np.ndarray, "rows columns 1"], light: Light) -> Shade:
    """Return the shadow of an upright object on level ground.

    Args:
        alpha: Its matte; the lowest row stands on the ground.
        light: Where light comes from.

    Returns:
        Darkness 0..1 around the object, with where its top left corner lies relative to the object's.
    """
    rows, columns = alpha.shape[:2]
    margin = int(0.3 * rows) + int(0.12 * columns) + 8
    across = int(LEAN * rows) + margin
    height, width = int(rows * FLAT) + 2 * margin, columns + 2 * across
    # Row `margin + FLAT * rows` of the map is the ground line.
    ground = margin + int(rows * FLAT)
    thrown = _thrown(alpha, light, ground=ground, left=across, size=(height, width))
    contact = _contact(alpha, ground=ground, left=across, size=(height, width))
    dark = 1 - (1 - contact) * (1 - thrown)
    dark = np.clip(dark - FAINT, 0, 1) / (1 - FAINT)
    return Shade(dark=dark[..., None].astype(np.float32), down=rows - 1 - ground, right=-across)


def _thrown(
    alpha: Float32[np.ndarray, "rows columns 1"], light: Light, *, ground: int, left: int, size: tuple[int, int]
) -> Float32[np.ndarray, "height width"]:
    cv2 = optional_package("cv2")
    rows = alpha.shape[0]
    lean = -light.side * LEAN
    # A point h above the ground is thrown to x + lean h, and FLAT h up the picture.
    matrix = np.array([[1, -lean, left + lean * (rows - 1)], [0, FLAT, ground - FLAT * (rows - 1)]], dtype=np.float32)
    flat = cv2.warpAffine(alpha[..., 0], matrix, (size[1], size[0]), flags=cv2.INTER_AREA)
    hard = light.hardness
    near = cv2.GaussianBlur(flat, (0, 0), max(0.8, rows * (SOFT[1] + (1 - hard) * (SOFT[0] - SOFT[1]))))
    far = cv2.GaussianBlur(flat, (0, 0), max(1.2, rows * 2.5 * SOFT[0]))
    height_there = np.clip((ground - np.arange(size[0], dtype=np.float32)) / (FLAT * rows + 1), 0, 1)[:, None]
    mixed = near + height_there * (far - near)
    return (THROWN[0] + hard * (THROWN[1] - THROWN[0])) * np.clip(mixed, 0, 1) * (1 - 0.35 * height_there)


def _contact(
    alpha: Float32[np.ndarray, "rows columns 1"], *, ground: int, left: int, size: tuple[int, int]
) -> Float32[np.ndarray, "height width"]:
    cv2 = optional_package("cv2")
    rows, columns = alpha.shape[:2]
    lowest = rows - 1 - np.argmax(alpha[::-1, :, 0] > 0.5, axis=0)
    above = np.where(alpha[..., 0].max(axis=0) > 0.5, (rows - 1 - lowest) / rows, 1.0).astype(np.float32)
    # Feet are dark, a raised paw is not; under a body the ground sees less of the sky.
    touch, under = np.clip(1 - above / FEET, 0, 1) ** 2, np.clip(1 - above / BODY, 0, 1)
    thick = max(1, rows // 40)
    lines = np.zeros((*size, 2), dtype=np.float32)
    lines[ground - thick : ground + thick, left : left + columns, 0] = touch
    lines[ground - 2 * thick : ground + thick, left : left + columns, 1] = under
    tight = cv2.GaussianBlur(lines[..., 0], (0, 0), sigmaX=max(1.0, 0.015 * rows), sigmaY=max(0.8, 0.012 * rows))
    wide = cv2.GaussianBlur(lines[..., 1], (0, 0), sigmaX=max(2.0, 0.05 * rows), sigmaY=max(1.2, 0.028 * rows))
    peak = max(float(tight.max()), 1e-3), max(float(wide.max()), 1e-3)
    return CONTACT * np.clip(0.65 * tight / peak[0] + 0.55 * wide / peak[1], 0, 1)
