"""Colour arithmetic of the recipes: linear light for tones, OKLab for moving a hue while lightness stays."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

__all__ = ["from_linear", "from_oklab", "luminance", "to_linear", "to_oklab"]

_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
# Fine enough that neighbouring dark levels keep apart: at black one step of 1/255 is 5 entries.
_STEPS = 1 << 14
_GRID = np.arange(_STEPS) / (_STEPS - 1)
_SRGB = np.round(255 * np.where(_GRID <= 0.0031308, _GRID * 12.92, 1.055 * _GRID ** (1 / 2.4) - 0.055)).astype(np.uint8)

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
# Björn Ottosson, "A perceptual color space for image processing" (2020).
_TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]], dtype=np.float32
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]], dtype=np.float32
)  # fmt: skip
_FROM_LAB = np.linalg.inv(_TO_LAB).astype(np.float32)
_FROM_LMS = np.linalg.inv(_TO_LMS).astype(np.float32)


def to_linear(srgb: UInt8[np.ndarray, "*size 3"]) -> Float32[np.ndarray, "*size 3"]:
    """Turn sRGB levels into linear light, 0..1."""
    return _LINEAR[srgb]


def from_linear(linear: Float32[np.ndarray, "*size 3"]) -> UInt8[np.ndarray, "*size 3"]:
    """Turn linear light into sRGB levels; light outside 0..1 is cut."""
    return _SRGB[(np.clip(linear, 0, 1) * (_STEPS - 1) + 0.5).astype(np.int32)]


def luminance(linear: Float32[np.ndarray, "*size 3"]) -> Float32[np.ndarray, "*size 1"]:
    """Return the relative luminance (Rec. 709) of linear light."""
    return (linear @ _LUMINANCE)[..., None]


def to_oklab(srgb: UInt8[np.ndarray, "*size 3"]) -> Float32[np.ndarray, "*size 3"]:
    """Turn sRGB levels into OKLab: lightness 0..1, then green-red and blue-yellow (about -0.3..0.3)."""
    return np.cbrt(_LINEAR[srgb] @ _TO_LMS.T) @ _TO_LAB.T


def from_oklab(lab: Float32[np.ndarray, "*size 3"]) -> UInt8[np.ndarray, "*size 3"]:
    """Turn OKLab into sRGB levels; colours outside the gamut are cut channel by channel."""
    return from_linear((lab @ _FROM_LAB.T) ** 3 @ _FROM_LMS.T)
