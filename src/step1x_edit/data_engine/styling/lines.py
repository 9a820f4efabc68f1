"""Drawings made of lines: pencil, coloured pencil, ink, chalk."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

from step1x_edit.experts.extras import optional_package
from step1x_edit.measures.colour import from_oklab, to_oklab

__all__ = ["Plane", "Rgb", "chalk", "coloured_pencil", "drawn_lines", "ink", "pencil", "unit"]

Rgb = UInt8[np.ndarray, "height width 3"]
Plane = Float32[np.ndarray, "height width"]


def pencil(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Draw with a soft pencil on white paper: outlines, and hatching that thickens in the dark."""
    lightness = _lightness(picture)
    tone = 0.45 * _dodged(lightness, unit(picture) * 7) + 0.55 * _dodged(lightness, unit(picture) * 26)
    shade = np.clip(1 - lightness, 0, 1) ** 1.5
    hatched = tone - 0.55 * shade * (0.9 + 0.45 * _hatching(picture, rng, angle=45))
    hatched -= 0.2 * np.clip(shade - 0.3, 0, 1) * (1 + _hatching(picture, rng, angle=130))
    drawn = np.clip(hatched - 0.3 * drawn_lines(lightness, sigma=1.1 * unit(picture)) + 0.02, 0.08, 1)
    grain = 1 + 0.02 * rng.normal(size=lightness.shape)
    return np.repeat(np.clip(250 * drawn * grain, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def coloured_pencil(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Draw with coloured pencils: strokes of the picture's own colours that let white paper through."""
    cv2 = optional_package("cv2")
    lab = to_oklab(picture)
    lightness = lab[..., 0].copy()
    soft = cv2.GaussianBlur(lab, (0, 0), 1.5 * unit(picture))
    strokes = 0.5 * _hatching(picture, rng, angle=40) + 0.3 * _hatching(picture, rng, angle=62)
    pressure = np.clip(0.46 + 0.5 * (1 - soft[..., 0]) + 0.3 * strokes, 0.06, 1)
    lines = drawn_lines(lightness, sigma=1.2 * unit(picture))
    lab = soft.copy()
    lab[..., 1:] *= 1.35
    lab[..., 0] = np.clip(lab[..., 0] + 0.04, 0, 1)
    paper = np.array([0.985, 0.0, 0.004], dtype=np.float32)
    drawn = paper + pressure[..., None] * (lab - paper)
    drawn[..., 0] -= 0.42 * lines
    return from_oklab(drawn.astype(np.float32))


def ink(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Draw with black ink on white paper: contours, full black in the deep shade, hatching between."""
    lightness = _stretched(_lightness(picture))
    lines = drawn_lines(lightness, sigma=1.2 * unit(picture), sharp=30.0)
    stripes = _stripes(picture, angle=38, pitch=6.5) + 0.08 * rng.normal(size=lightness.shape).astype(np.float32)
    crossed = _stripes(picture, angle=128, pitch=6.5)
    light = _smooth(lightness, 2.0 * unit(picture))
    paper = np.minimum(_step(light - 0.1, 0.03), _step(light * 2.6 - 0.3 - stripes, 0.25))
    paper = np.minimum(paper, _step(light * 4.0 - 0.3 - crossed, 0.25))
    drawn = np.minimum(paper, 1 - lines)
    return np.repeat((14 + 236 * np.clip(drawn, 0, 1)).astype(np.uint8)[..., None], 3, axis=-1)


def chalk(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Draw with white chalk on a dark green board: contours, and the bright parts rubbed in."""
    lightness = _stretched(_lightness(picture))
    grain = _smooth(rng.normal(size=lightness.shape).astype(np.float32), 0.8 * unit(picture))
    grain /= grain.std()
    lines = drawn_lines(1 - lightness, sigma=1.5 * unit(picture), sharp=22.0)
    rubbed = 1.15 * np.clip(_smooth(lightness, 2.0 * unit(picture)) - 0.25, 0, 1) ** 1.3
    strokes = 0.7 + 0.35 * _hatching(picture, rng, angle=50)
    cover = np.clip(lines * (0.95 + 0.2 * grain) + rubbed * strokes * (0.75 + 0.25 * grain), 0, 1)[..., None]
    dust = _smooth(rng.normal(size=lightness.shape).astype(np.float32), 30 * unit(picture))
    board = np.array([44, 62, 54], dtype=np.float32) * (1 + 0.08 * dust / dust.std())[..., None]
    return np.clip(board + cover * (np.array([240, 240, 234], dtype=np.float32) - board), 0, 255).astype(np.uint8)


def unit(picture: Rgb) -> float:
    """Return the length that is one pixel when the short side has 512."""
    return min(picture.shape[:2]) / 512


def drawn_lines(lightness: Plane, *, sigma: float, sharp: float = 18.0) -> Plane:
    """Return how much of a pencil's line goes where, 0..1: along the dark side of edges.

    Source:
        Winnemöller, Kyprianidis and Olsen, "XDoG: an eXtended difference-of-Gaussians compendium" (2012).
    """
    narrow, wide = _smooth(lightness, sigma), _smooth(lightness, 1.6 * sigma)
    response = narrow - wide
    return np.clip(np.tanh(-sharp * (response + 0.004)), 0, 1).astype(np.float32)


def _lightness(picture: Rgb) -> Plane:
    return to_oklab(picture)[..., 0].copy()


def _stretched(lightness: Plane) -> Plane:
    """Return lightness with its darkest and brightest hundredths at 0 and 1, and its middle near a half."""
    low, middle, high = np.quantile(lightness[::4, ::4], (0.02, 0.5, 0.98))
    level = np.clip((lightness - low) / (high - low + 1e-6), 0, 1)
    middle = np.clip((middle - low) / (high - low + 1e-6), 0.2, 0.8)
    return (level ** (np.log(0.55) / np.log(middle))).astype(np.float32)


def _dodged(lightness: Plane, sigma: float) -> Plane:
    """Divide by the blurred surround: even areas turn white, edges stay."""
    return np.minimum(lightness / (_smooth(lightness, sigma) + 1e-3), 1)


def _smooth(plane: Plane, sigma: float) -> Plane:
    cv2 = optional_package("cv2")
    return cv2.GaussianBlur(plane, (0, 0), max(sigma, 0.3))


def _step(plane: Plane, width: float) -> Plane:
    return np.clip(plane / width + 0.5, 0, 1).astype(np.float32)


def _stripes(picture: Rgb, *, angle: float, pitch: float) -> Plane:
    """Return waves 0..1 across a direction in degrees, ``pitch`` units apart."""
    height, width = picture.shape[:2]
    down, across = np.mgrid[:height, :width].astype(np.float32) / unit(picture)
    turned = across * np.sin(np.radians(angle)) + down * np.cos(np.radians(angle))
    return (0.5 + 0.5 * np.sin(turned * 2 * np.pi / pitch)).astype(np.float32)


def _hatching(picture: Rgb, rng: np.random.Generator, *, angle: float) -> Plane:
    """Return strokes of mean 0 and deviation 1 in a direction (degrees)."""
    cv2 = optional_package("cv2")
    length = max(5, round(23 * unit(picture)))
    stroke = np.zeros((length, length), dtype=np.float32)
    reach = length / 2 * np.array([np.cos(np.radians(angle)), -np.sin(np.radians(angle))])
    start, end = (length / 2 - reach).astype(int), (length / 2 + reach).astype(int)
    cv2.line(stroke, start.tolist(), end.tolist(), 1.0)
    noise = rng.normal(size=picture.shape[:2]).astype(np.float32)
    drawn = cv2.filter2D(noise, -1, stroke, borderType=cv2.BORDER_REFLECT)
    return (drawn / (drawn.std() + 1e-6)).astype(np.float32)
