"""Pictures that look like photographs to a measure: clouds of all sizes, as sharp as a lens makes them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter


def clouds(seed: int, *, side: int = 256, right_px: float = 0.0, down_px: float = 0.0) -> np.ndarray:
    """Grey-brown structure with the 1/f spectrum of photographs, moved by any fraction of a pixel before it is rounded."""
    rng = np.random.default_rng(seed)
    down, across = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    radius = np.hypot(down, across)
    strength = np.where(radius > 0, 1 / np.maximum(radius, 1 / side) ** 1.1, 0) * np.exp(-((radius / 0.35) ** 2))
    phases = np.exp(2j * np.pi * (rng.random(radius.shape) - down * down_px - across * right_px))
    waves = np.fft.irfft2(strength * phases, (side, side))
    levels = 120 + 45 * waves / waves.std()
    tinted = levels[..., None] * np.array([1.05, 1.0, 0.9]) + np.array([4, 0, -4])
    return np.clip(np.round(tinted), 0, 255).astype(np.uint8)


def disc(*, side: int = 256, x: float = 0.5, y: float = 0.5, radius: float = 0.25) -> np.ndarray:
    rows, columns = np.mgrid[0:side, 0:side] / side
    return np.hypot(rows - y, columns - x) < radius


def as_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "JPEG", quality=quality)
    return np.asarray(Image.open(encoded))


def blurred(picture: np.ndarray, radius: float = 1.2) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))
