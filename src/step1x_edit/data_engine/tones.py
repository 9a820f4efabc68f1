"""The named looks of tone transformation: each is one fixed curve, so that a name always looks the same.

Light is handled in linear units, as a camera or an atmosphere would: exposure and white balance multiply, fog mixes in
the air's own light by distance (here: by height in the picture), night is a low exposure with the eye's loss of colour.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, UInt8

from step1x_edit.data_engine.weather import blur, cinematic, dawn, grain, muted, overcast, rain, snow
from step1x_edit.measures.colour import from_linear, from_oklab, luminance, to_linear, to_oklab

__all__ = ["TONES", "apply_tone", "foliage_share"]

Rgb = UInt8[np.ndarray, "height width 3"]
Light = Float32[np.ndarray, "height width 3"]

NIGHT_LUMINANCE = 0.042
"""Mean luminance of a night picture; 0.042 is about level 57 of 255."""
AIRLIGHT = np.array([0.60, 0.63, 0.66], dtype=np.float32)
"""Colour of fog in linear light: a light grey with a breath of blue."""


def apply_tone(name: str, picture: Rgb) -> Rgb:
    """Give a picture the look of this name.

    Args:
        name: A key of :data:`TONES`.
        picture: The picture to change.

    Raises:
        KeyError: No look is called so.
    """
    return TONES[name](picture)


def _balanced(light: Light, gains: tuple[float, float, float]) -> Light:
    """Multiply the channels and keep the mean luminance."""
    changed = light * np.array(gains, dtype=np.float32)
    return changed * (luminance(light).mean() / (luminance(changed).mean() + 1e-6))


def _faded(light: Light, amount: float) -> Light:
    """Move every pixel toward its grey by ``amount`` (0..1)."""
    return light + amount * (luminance(light) - light)


def _height(light: Light) -> Float32[np.ndarray, "height 1 1"]:
    """Return 1 at the top edge falling to 0 at the bottom edge."""
    return np.linspace(1, 0, light.shape[0], dtype=np.float32)[:, None, None]


def _night(picture: Rgb) -> Rgb:
    light = _faded(to_linear(picture), 0.5) * np.array([0.55, 0.75, 1.25], dtype=np.float32)
    light = np.clip(light, 0, 1) ** 1.2 * (1 - 0.45 * _height(light))
    exposure = np.clip(NIGHT_LUMINANCE / (luminance(light).mean() + 1e-6), 0.04, 0.5)
    return from_linear(light * exposure)


def _sunset(picture: Rgb) -> Rgb:
    light = 0.8 * _balanced(to_linear(picture), (1.45, 0.82, 0.45))
    glow = 0.22 * _height(light) * np.array([1.0, 0.42, 0.12], dtype=np.float32)
    return from_linear(1 - (1 - np.clip(light, 0, 1)) * (1 - glow))


def _warm(picture: Rgb) -> Rgb:
    return from_linear(_balanced(to_linear(picture), (1.32, 1.0, 0.55)))


def _cold(picture: Rgb) -> Rgb:
    return from_linear(_balanced(_faded(to_linear(picture), 0.2), (0.62, 0.95, 1.55)))


def _black_and_white(picture: Rgb) -> Rgb:
    return from_linear(_faded(to_linear(picture), 1.0))


def _fog(picture: Rgb) -> Rgb:
    light = _faded(to_linear(picture), 0.3)
    transmission = 0.7 - 0.35 * _height(light)
    return from_linear(light * transmission + AIRLIGHT * (1 - transmission))


def _sepia(picture: Rgb) -> Rgb:
    return from_linear(luminance(to_linear(picture)) * np.array([1.2, 0.93, 0.58], dtype=np.float32))


def _vintage(picture: Rgb) -> Rgb:
    light = _balanced(_faded(to_linear(picture), 0.4), (1.15, 1.0, 0.68))
    return from_linear(0.055 + 0.72 * np.clip(light, 0, 1))


def _brighter(picture: Rgb) -> Rgb:
    return from_linear(1 - (1 - to_linear(picture)) ** 2)


def _darker(picture: Rgb) -> Rgb:
    return from_linear(0.33 * to_linear(picture))


def _contrast(picture: Rgb) -> Rgb:
    level = np.linspace(0, 1, 256, dtype=np.float32)
    curve = 0.5 + 0.5 * np.tanh(3.4 * (level - 0.5)) / np.tanh(1.7)
    return np.round(255 * curve).astype(np.uint8)[picture]


def _vivid(picture: Rgb) -> Rgb:
    lab = to_oklab(picture)
    lab[..., 1:] *= 1.7
    return from_oklab(lab)


def _foliage(lab: Light) -> Float32[np.ndarray, "height width 1"]:
    """Return how much each pixel is a green of plants, 0..1."""
    green = np.clip((0.4 * lab[..., 2] - lab[..., 1]) / 0.05, 0, 1)
    return (green * np.clip(lab[..., 2] / 0.03, 0, 1))[..., None]


def _autumn(picture: Rgb) -> Rgb:
    lab = to_oklab(picture)
    plants = _foliage(lab)
    chroma = np.linalg.norm(lab[..., 1:], axis=-1, keepdims=True)
    orange = 1.05 * chroma * np.array([0.55, 0.83], dtype=np.float32)
    lab[..., 1:] += plants * (orange - lab[..., 1:])
    return from_linear(_balanced(to_linear(from_oklab(lab)), (1.12, 1.0, 0.8)))


def _winter(picture: Rgb) -> Rgb:
    lab = to_oklab(picture)
    plants = _foliage(lab)
    lab[..., :1] += plants * 0.6 * (0.97 - lab[..., :1])
    lab[..., 1:] *= 1 - 0.9 * plants
    return from_linear(_balanced(_faded(to_linear(from_oklab(lab)), 0.25), (0.82, 0.98, 1.25)))


TONES: dict[str, Callable[[Rgb], Rgb]] = {
    "night": _night,
    "sunset": _sunset,
    "warm": _warm,
    "cold": _cold,
    "black and white": _black_and_white,
    "fog": _fog,
    "sepia": _sepia,
    "vintage": _vintage,
    "brighter": _brighter,
    "darker": _darker,
    "contrast": _contrast,
    "vivid": _vivid,
    "autumn": _autumn,
    "winter": _winter,
    "rain": rain,
    "snow": snow,
    "dawn": dawn,
    "overcast": overcast,
    "muted": muted,
    "cinematic": cinematic,
    "blur": blur,
    "grain": grain,
}
"""Every named look."""


def foliage_share(picture: Rgb) -> float:
    """Return how much of a picture is the green of plants, 0..1."""
    return float(_foliage(to_oklab(picture)).mean())
