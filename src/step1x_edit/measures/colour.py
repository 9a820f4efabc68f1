"""Colour arithmetic: linear light for tones, OKLab for moving a hue while lightness stays, CIELAB for how far colours differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

__all__ = [
    "ColourStatistics",
    "ciede2000",
    "colour_difference",
    "colour_statistics",
    "from_linear",
    "from_oklab",
    "hue_distance",
    "lightness",
    "luma",
    "luminance",
    "to_cielab",
    "to_linear",
    "to_oklab",
]

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


# sRGB primaries to CIE XYZ, divided by the white D65 (IEC 61966-2-1).
_TO_XYZ = (
    np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    / np.array([[0.95047], [1.0], [1.08883]])
).astype(np.float32)
_DARK = np.float32(216 / 24389)


def luma(srgb: UInt8[np.ndarray, "*size 3"]) -> Float32[np.ndarray, "*size"]:
    """Return grey levels, 0..255: the channels weighted as light, without leaving sRGB levels."""
    return srgb.astype(np.float32) @ _LUMINANCE


def lightness(srgb: UInt8[np.ndarray, "*size 3"]) -> Float32[np.ndarray, "*size"]:
    """Return CIE L*, 0..100."""
    return 116 * _cie_root(_LINEAR[srgb] @ _LUMINANCE) - 16


def _cie_root(light: Float32[np.ndarray, "*size"]) -> Float32[np.ndarray, "*size"]:
    """Return the cube root of the CIE's definition, straight near black."""
    return np.where(light > _DARK, np.cbrt(light), (np.float32(24389 / 27) * light + 16) / np.float32(116))


def to_cielab(srgb: UInt8[np.ndarray, "*size 3"]) -> Float32[np.ndarray, "*size 3"]:
    """Turn sRGB levels into CIELAB for the white D65: L* 0..100, a* and b* about -100..100."""
    x, y, z = np.moveaxis(_cie_root(_LINEAR[srgb] @ _TO_XYZ.T), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(
    first: Float32[np.ndarray, "*size 3"], second: Float32[np.ndarray, "*size 3"]
) -> Float32[np.ndarray, "*size"]:
    """Return how different people see two colours, given in CIELAB; about 1 is just visible, black to white is 100.

    Source:
        G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula" (2005), equations 2 to 22.
    """
    lightness = (first[..., 0] + second[..., 0]) / 2
    # 1. Stretch a* of near-neutral colours; then chroma and hue.
    grey = (np.hypot(first[..., 1], first[..., 2]) + np.hypot(second[..., 1], second[..., 2])) / 2
    stretch = 1.5 - 0.5 * _saturating(grey)
    reds = first[..., 1] * stretch, second[..., 1] * stretch
    chromas = np.hypot(reds[0], first[..., 2]), np.hypot(reds[1], second[..., 2])
    hues = np.arctan2(first[..., 2], reds[0]), np.arctan2(second[..., 2], reds[1])
    # 2. Differences; the hue's the short way round, as the length of a chord.
    turn = (hues[1] - hues[0] + np.pi) % (2 * np.pi) - np.pi
    across = 2 * np.sqrt(chromas[0] * chromas[1]) * np.sin(turn / 2)
    # 3. Means; the hue's on the arc between the two. One colour without chroma has no hue, and the sum is used.
    chroma = (chromas[0] + chromas[1]) / 2
    hue = np.where(chromas[0] * chromas[1] == 0, hues[0] + hues[1], hues[0] + turn / 2)
    # 4. Weights of the three directions, and the blues' rotation.
    size_l = 1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    size_c = 1 + 0.045 * chroma
    size_h = 1 + 0.015 * chroma * _hue_weight(hue)
    degrees = np.degrees(hue) % 360
    rotation = -2 * _saturating(chroma) * np.sin(math.radians(60) * np.exp(-(((degrees - 275) / 25) ** 2)))
    part_l = (second[..., 0] - first[..., 0]) / size_l
    part_c, part_h = (chromas[1] - chromas[0]) / size_c, across / size_h
    squared = part_l**2 + part_c**2 + part_h**2 + rotation * part_c * part_h
    return np.sqrt(np.maximum(squared, 0)).astype(np.float32)


def _saturating(chroma: Float32[np.ndarray, "*size"]) -> Float32[np.ndarray, "*size"]:
    seventh = chroma**7
    return np.sqrt(seventh / (seventh + np.float32(25**7)))


def _hue_weight(hue: Float32[np.ndarray, "*size"]) -> Float32[np.ndarray, "*size"]:
    """Return how strongly a difference of hue counts at a hue in radians (T of the formula)."""
    return (
        1
        - 0.17 * np.cos(hue - math.radians(30))
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + math.radians(6))
        - 0.20 * np.cos(4 * hue - math.radians(63))
    )


def colour_difference(
    first: UInt8[np.ndarray, "*size 3"], second: UInt8[np.ndarray, "*size 3"]
) -> Float32[np.ndarray, "*size"]:
    """Return the CIEDE2000 difference of two sets of sRGB levels, colour by colour."""
    return ciede2000(to_cielab(first), to_cielab(second))


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourStatistics:
    """What colour a region has, in OKLab."""

    lightness: float
    """Mean lightness, 0..1."""
    chroma: float
    """Mean chroma; 0 is grey, 0.3 about the strongest a screen shows."""
    hue_degrees: float
    """Mean hue weighted by chroma, 0..360: about 30 is red, 110 yellow, 142 green, 265 blue."""
    hue_agreement: float
    """Length of the mean chroma vector over the mean chroma: 1 where all hues agree, near 0 for a rainbow or for grey."""


def colour_statistics(
    picture: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]
) -> ColourStatistics | None:
    """Return lightness, chroma and hue of what a mask shows, or None when the mask is empty."""
    if not mask.any():
        return None
    lab = to_oklab(picture[mask])
    chroma = float(np.linalg.norm(lab[:, 1:], axis=-1).mean())
    green_red, blue_yellow = (float(value) for value in lab[:, 1:].mean(axis=0))
    return ColourStatistics(
        lightness=float(lab[:, 0].mean()),
        chroma=chroma,
        hue_degrees=float(np.degrees(np.arctan2(blue_yellow, green_red)) % 360),
        hue_agreement=float(np.hypot(green_red, blue_yellow) / chroma) if chroma else 0.0,
    )


def hue_distance(first_degrees: float, second_degrees: float) -> float:
    """Return the angle between two hues the short way round, 0..180 degrees."""
    return abs((first_degrees - second_degrees + 180) % 360 - 180)
