"""Paintings: watercolour, oils, cartoon, poster."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from PIL import Image

from step1x_edit.data_engine.styling.lines import Plane, Rgb, drawn_lines, unit
from step1x_edit.experts.extras import optional_package
from step1x_edit.measures.colour import from_oklab, to_oklab

__all__ = ["cartoon", "oil", "poster", "watercolour"]

INKS = 10
"""Colours of a poster."""
STEPS = 9
"""Steps along a brush stroke in each direction."""


def watercolour(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Paint in thin washes: flat, pale areas that darken along their rims, on grained paper."""
    cv2 = optional_package("cv2")
    one = unit(picture)
    washes = cv2.medianBlur(_wobbled(picture, rng, 1.3 * one), 2 * round(2.6 * one) + 1)
    lab = to_oklab(_flattened(washes, times=4, reach=6 * one))
    lab[..., 0] = np.clip(0.32 + 0.7 * lab[..., 0], 0, 0.985)
    lab[..., 1:] *= 1.25
    # Pigment gathers where a wash ends.
    edge = cv2.GaussianBlur(lab, (0, 0), 1.2 * one) - cv2.GaussianBlur(lab, (0, 0), 4 * one)
    lab[..., 0] -= 0.75 * np.abs(edge).sum(axis=-1)
    pools = 0.6 * _cloud(picture, rng, 150 * one) + 0.4 * _cloud(picture, rng, 50 * one)
    grain = _cloud(picture, rng, 1.2 * one)
    lab[..., 0] += (1 - lab[..., 0]) * (0.13 * pools + 0.05 * grain) + 0.008 * grain
    lab[..., 1:] *= (1 - 0.1 * pools)[..., None]
    return from_oklab(lab.astype(np.float32))


def oil(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Paint in oils: thick strokes that follow the forms, with the light on their ridges."""
    cv2 = optional_package("cv2")
    one = unit(picture)
    flow = _flow(picture, 9 * one)
    flat = cv2.medianBlur(picture, 2 * round(2.2 * one) + 1)
    strokes = _along(flat.astype(np.float32), flow, 1.3 * one)
    bristles = _along(rng.normal(size=(*picture.shape[:2], 1)).astype(np.float32), flow, 1.5 * one)
    bristles = cv2.GaussianBlur(bristles[..., 0], (0, 0), 0.8 * one)
    bristles /= bristles.std() + 1e-6
    relief = bristles - np.roll(bristles, (max(1, round(one)), max(1, round(one))), axis=(0, 1))
    lab = to_oklab(np.clip(strokes + 6 * bristles[..., None], 0, 255).astype(np.uint8))
    lab[..., 0] = 0.5 + 1.06 * (lab[..., 0] - 0.5) + 0.026 * np.clip(relief, -2, 2.5)
    lab[..., 1:] *= 1.3
    return from_oklab(lab.astype(np.float32))


def cartoon(picture: Rgb, rng: np.random.Generator) -> Rgb:  # noqa: ARG001 - as every style
    """Draw a cartoon: few flat tones of strong colours inside black outlines."""
    cv2 = optional_package("cv2")
    one = unit(picture)
    lab = to_oklab(_flattened(picture, times=4, reach=5 * one))
    tones = lab[..., 0] * 7
    lab[..., 0] = (np.floor(tones) + np.clip((tones % 1 - 0.5) * 6, -0.5, 0.5) + 0.5) / 7 + 0.04
    lab[..., 1:] = np.tanh(lab[..., 1:] * 1.6 / 0.25) * 0.25
    outline = drawn_lines(cv2.GaussianBlur(to_oklab(picture)[..., 0], (0, 0), one), sigma=1.5 * one, sharp=40.0)
    lab *= (1 - 0.92 * _cleaned(outline, one))[..., None]
    return from_oklab(lab.astype(np.float32))


def poster(picture: Rgb, rng: np.random.Generator) -> Rgb:  # noqa: ARG001 - as every style
    """Print a poster: a few flat inks, areas with smooth borders."""
    cv2 = optional_package("cv2")
    one = unit(picture)
    smooth = cv2.medianBlur(_flattened(picture, times=3, reach=7 * one), 2 * round(4 * one) + 1)
    lab = to_oklab(smooth)
    low, high = np.quantile(lab[::4, ::4, 0], (0.02, 0.98))
    lab[..., 0] = np.clip(0.18 + 0.78 * (lab[..., 0] - low) / (high - low + 1e-6), 0, 1)
    lab[..., 1:] = np.tanh(lab[..., 1:] * 1.9 / 0.25) * 0.25
    inks = Image.fromarray(from_oklab(lab)).quantize(
        INKS, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE
    )
    clean = cv2.medianBlur(np.asarray(inks.convert("RGB")), 2 * round(3 * one) + 1)
    # The median of three channels may be a colour that is no ink.
    return np.asarray(Image.fromarray(clean).quantize(palette=inks, dither=Image.Dither.NONE).convert("RGB"))


def _flattened(picture: Rgb, *, times: int, reach: float) -> Rgb:
    """Smooth areas and keep edges, by repeated bilateral filtering."""
    cv2 = optional_package("cv2")
    for _ in range(times):
        picture = cv2.bilateralFilter(picture, 2 * round(reach) + 1, 32, reach)
    return picture


def _wobbled(picture: Rgb, rng: np.random.Generator, reach: float) -> Rgb:
    """Move every place a little, as a hand does."""
    cv2 = optional_package("cv2")
    height, width = picture.shape[:2]
    down, across = np.mgrid[:height, :width].astype(np.float32)
    moved = [axis + reach * _cloud(picture, rng, 20 * unit(picture)) for axis in (across, down)]
    return cv2.remap(picture, moved[0], moved[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _cloud(picture: Rgb, rng: np.random.Generator, size: float) -> Plane:
    """Return smooth noise of mean 0 and deviation 1 with spots of about this size."""
    cv2 = optional_package("cv2")
    height, width = picture.shape[:2]
    coarse = rng.normal(size=(max(3, round(2 * height / size)), max(3, round(2 * width / size)))).astype(np.float32)
    cloud = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return ((cloud - cloud.mean()) / (cloud.std() + 1e-6)).astype(np.float32)


def _flow(picture: Rgb, sigma: float) -> Float32[np.ndarray, "height width 2"]:
    """Return unit vectors along the picture's edges (right, down), from its smoothed structure tensor."""
    cv2 = optional_package("cv2")
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), sigma / 4)
    right, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    tensor = cv2.GaussianBlur(np.dstack([right * right, right * down, down * down]), (0, 0), sigma)
    angle = 0.5 * np.arctan2(2 * tensor[..., 1], tensor[..., 0] - tensor[..., 2]) + np.pi / 2
    return np.dstack([np.cos(angle), np.sin(angle)]).astype(np.float32)


def _along(
    values: Float32[np.ndarray, "height width channels"], flow: Float32[np.ndarray, "height width 2"], step: float
) -> Float32[np.ndarray, "height width channels"]:
    """Average values along the flow, both ways (line integral convolution, Cabral and Leedom 1993)."""
    cv2 = optional_package("cv2")
    height, width = values.shape[:2]
    here = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    total = values.reshape(height, width, -1).copy()
    for way in (1.0, -1.0):
        at, heading = here.copy(), way * flow
        for _ in range(STEPS):
            at += step * heading
            total += cv2.remap(
                values, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            ).reshape(total.shape)
            turned = cv2.remap(flow, at[..., 0], at[..., 1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            # The flow has no sense of direction: take the one that goes on.
            heading = turned * np.sign((turned * heading).sum(axis=-1, keepdims=True) + 1e-9)
    return total / (2 * STEPS + 1)


def _cleaned(lines: Plane, one: float) -> Plane:
    """Leave out specks: lines that have no other line near them."""
    cv2 = optional_package("cv2")
    company = cv2.GaussianBlur(lines, (0, 0), 3 * one)
    return lines * np.clip((company - 0.09) / 0.08, 0, 1)
