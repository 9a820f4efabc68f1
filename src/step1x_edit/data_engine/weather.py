"""Looks of the air and of the camera: rain, snow, dawn, an overcast sky, blur, grain and a film's colours.

What falls is drawn in layers of depth, the same for the same picture every time.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageDraw, ImageFilter

from step1x_edit.measures.colour import from_linear, from_oklab, luminance, to_linear, to_oklab

__all__ = ["blur", "cinematic", "dawn", "grain", "muted", "overcast", "rain", "snow"]

Rgb = UInt8[np.ndarray, "height width 3"]
Light = Float32[np.ndarray, "height width 3"]

RAIN_LAYERS = ((420, 20, 0.5, 0.20), (240, 40, 0.7, 0.30), (70, 75, 1.1, 0.36))
"""Far to near: streaks, length and width in 512ths of the short side, and brightness."""
SNOW_LAYERS = ((900, 0.9, 0.3, 0.75), (380, 1.8, 0.6, 0.85), (90, 3.6, 1.3, 0.8))
"""Far to near: flakes, radius and blur in 512ths of the short side, and cover."""


def rain(picture: Rgb) -> Rgb:
    """Let it rain: a dull, cool light, haze with distance, slanted streaks."""
    light = _hazy(_dulled(picture, 0.55) * 0.62, (0.30, 0.33, 0.36), far=0.34, near=0.08)
    return from_linear(
        light + _fallen(picture, RAIN_LAYERS, streaks=True) * np.array([0.9, 0.95, 1.0], dtype=np.float32)
    )


def snow(picture: Rgb) -> Rgb:
    """Let it snow: a pale, cool light, white haze with distance, flakes."""
    light = _hazy(_dulled(picture, 0.5), (0.74, 0.77, 0.81), far=0.48, near=0.16)
    cover = np.clip(_fallen(picture, SNOW_LAYERS, streaks=False), 0, 1)
    return from_linear(light + cover * (0.95 - light))


def dawn(picture: Rgb) -> Rgb:
    """Show it at dawn: a low, rosy light, blue in the shade, a breath of mist."""
    light = _dulled(picture, 0.25) * 0.72
    bright = np.clip(luminance(light) / 0.5, 0, 1)
    tint = np.array([0.80, 0.88, 1.22], dtype=np.float32) * (1 - bright) + bright * np.array(
        [1.30, 0.96, 0.86], dtype=np.float32
    )
    return from_linear(_hazy(light * tint, (0.80, 0.52, 0.50), far=0.28, near=0.04))


def overcast(picture: Rgb) -> Rgb:
    """Show it under a grey sky: flat light, soft shadows, dull colours."""
    light = _dulled(picture, 0.5)
    flat = light * (0.20 / (luminance(light) + 0.02)) ** 0.22
    return from_linear(0.8 * flat * np.array([0.95, 1.0, 1.06], dtype=np.float32))


def muted(picture: Rgb) -> Rgb:
    """Take away more than half of the colour."""
    lab = to_oklab(picture)
    lab[..., 1:] *= 0.42
    return from_oklab(lab)


def cinematic(picture: Rgb) -> Rgb:
    """Grade it like a film: teal in the shade, orange in the light, more contrast."""
    lab = to_oklab(picture)
    bright = np.clip((lab[..., :1] - 0.2) / 0.65, 0, 1)
    lab[..., :1] = np.clip(0.5 + 1.18 * (lab[..., :1] - 0.52), 0.02, 0.98)
    shade, shine = np.array([-0.045, -0.045], dtype=np.float32), np.array([0.022, 0.05], dtype=np.float32)
    lab[..., 1:] = 0.82 * lab[..., 1:] + shade * (1 - bright) + shine * bright
    return from_oklab(lab.astype(np.float32))


def blur(picture: Rgb) -> Rgb:
    """Put it out of focus."""
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(3.2 * _unit(picture))))


def grain(picture: Rgb) -> Rgb:
    """Cover it with the noise of a sensor in the dark."""
    rng = _own(picture)
    height, width = picture.shape[:2]
    noise = rng.normal(0, 20, (height, width, 1)) + rng.normal(0, 11, (height, width, 3))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _dulled(picture: Rgb, amount: float) -> Light:
    light = to_linear(picture)
    return light + amount * (luminance(light) - light)


def _hazy(light: Light, air: tuple[float, float, float], *, far: float, near: float) -> Light:
    """Mix in the air's own light, from ``far`` at the top edge to ``near`` at the bottom edge."""
    share = np.linspace(far, near, light.shape[0], dtype=np.float32)[:, None, None]
    return light + share * (np.array(air, dtype=np.float32) - light)


def _fallen(
    picture: Rgb, layers: tuple[tuple[int, float, float, float], ...], *, streaks: bool
) -> Float32[np.ndarray, "height width 1"]:
    """Draw what falls, layer over layer, 0..1."""
    rng, one = _own(picture), _unit(picture)
    height, width = picture.shape[:2]
    slant = float(rng.uniform(-0.25, 0.25))
    fallen = np.zeros((height, width), dtype=np.float32)
    for count, size, soft, strength in layers:
        layer = Image.new("L", (width, height))
        pen = ImageDraw.Draw(layer)
        for x, y, scale in rng.uniform((-0.1, -0.1, 0.6), (1.1, 1.1, 1.3), (count, 3)) * (width, height, 1):
            reach = size * one * scale
            if streaks:
                pen.line((x, y, x + slant * reach, y + reach), fill=int(255 * min(scale, 1)), width=max(1, round(one)))
            else:
                pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=int(255 * min(scale, 1)))
        layer = layer.filter(ImageFilter.GaussianBlur(soft * one))
        fallen = np.maximum(fallen, strength / 255 * np.asarray(layer, dtype=np.float32))
    return fallen[..., None]


def _own(picture: Rgb) -> np.random.Generator:
    return np.random.default_rng(int(picture[::16, ::16].sum()))


def _unit(picture: Rgb) -> float:
    return min(picture.shape[:2]) / 512
