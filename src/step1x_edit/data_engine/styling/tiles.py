"""Pictures put together from many small pieces: pixels, points, halftone dots, triangles."""

from __future__ import annotations

import numpy as np
from PIL import Image

from step1x_edit.data_engine.styling.lines import Rgb, drawn_lines, unit
from step1x_edit.experts.extras import optional_package
from step1x_edit.measures.colour import from_oklab, to_oklab

__all__ = ["halftone", "low_poly", "pixels", "points"]

PIXELS, PALETTE = 72, 24
"""Pixels across the short side of pixel art, and its colours."""
CORNERS = 1000
"""Corners of a low-poly picture."""


def pixels(picture: Rgb, rng: np.random.Generator) -> Rgb:  # noqa: ARG001 - as every style
    """Redraw as pixel art: big square pixels of few strong colours."""
    height, width = picture.shape[:2]
    scale = PIXELS / min(height, width)
    lab = to_oklab(
        np.asarray(Image.fromarray(picture).resize((round(width * scale), round(height * scale)), Image.Resampling.BOX))
    )
    lab[..., 0] = np.clip(0.5 + 1.15 * (lab[..., 0] - 0.5), 0, 1)
    lab[..., 1:] *= 1.35
    few = Image.fromarray(from_oklab(lab)).quantize(PALETTE, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return np.asarray(few.convert("RGB").resize((width, height), Image.Resampling.NEAREST))


def points(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Paint in points of pure colour, side by side, large ones under small ones."""
    cv2 = optional_package("cv2")
    one = unit(picture)
    lab = to_oklab(cv2.GaussianBlur(picture, (0, 0), 1.5 * one))
    lab[..., 1:] *= 1.5
    canvas = np.full_like(picture, (236, 226, 204))
    for radius, pitch in ((4.6, 6.5), (3.0, 5.0)):
        spots = _jittered(picture.shape[:2], pitch * one, rng)
        dots = lab[spots[:, 1], spots[:, 0]] + rng.normal(0, (0.03, 0.022, 0.022), (len(spots), 3))
        levels = from_oklab(dots.astype(np.float32)[None])[0].tolist()
        sizes = np.maximum(1, np.round(radius * one * rng.uniform(0.75, 1.2, len(spots)) * 16)).astype(int)
        for place, level, size in zip((spots * 16).tolist(), levels, sizes.tolist(), strict=True):
            cv2.circle(canvas, place, size, level, -1, cv2.LINE_AA, 4)
    return canvas


def halftone(picture: Rgb, rng: np.random.Generator) -> Rgb:  # noqa: ARG001 - as every style
    """Print like an old comic: flat bright colours, shade as a screen of black dots, black contours."""
    cv2 = optional_package("cv2")
    one = unit(picture)
    smooth = picture
    for _ in range(3):
        smooth = cv2.bilateralFilter(smooth, 2 * round(5 * one) + 1, 32, 5 * one)
    lab = to_oklab(smooth)
    light = cv2.GaussianBlur(lab[..., 0], (0, 0), 1.5 * one)
    height, width = light.shape
    down, across = np.mgrid[:height, :width].astype(np.float32) * (2 * np.pi / (5.6 * one))
    screen = 0.5 + 0.25 * (np.cos((across + down) * np.sqrt(0.5)) + np.cos((across - down) * np.sqrt(0.5)))
    dots = np.clip((np.clip(0.95 - 1.5 * light, 0, 0.93) - screen) * 6 + 0.5, 0, 1)
    lab[..., 0] = np.round((0.38 + 0.62 * lab[..., 0]) * 8) / 8
    lab[..., 1:] = np.tanh(lab[..., 1:] * 1.7 / 0.25) * 0.25
    contours = drawn_lines(light, sigma=1.6 * one, sharp=40.0)
    lab *= (1 - 0.93 * np.maximum(dots, contours))[..., None]
    return from_oklab(lab.astype(np.float32))


def low_poly(picture: Rgb, rng: np.random.Generator) -> Rgb:
    """Put together from triangles of one colour each, smaller where there is more to see."""
    cv2 = optional_package("cv2")
    height, width = picture.shape[:2]
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5 * unit(picture))
    detail = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)) ** 0.75
    chance = (detail + 0.15 * detail.mean()).ravel()
    drawn = rng.choice(height * width, CORNERS, replace=False, p=chance / chance.sum())
    frame = [(x, y) for x in np.linspace(0, width - 1, 9) for y in np.linspace(0, height - 1, 9)]
    division = cv2.Subdiv2D((0, 0, width, height))
    division.insert([*zip((drawn % width).tolist(), (drawn // width).tolist(), strict=True), *frame])
    triangles = division.getTriangleList().reshape(-1, 3, 2)
    inside = ((triangles >= 0) & (triangles < (width, height))).all(axis=(1, 2))
    soft = cv2.blur(picture, (5, 5)).astype(np.float32)
    canvas = picture.copy()
    for corners in triangles[inside].astype(np.int32):
        middle = corners.mean(axis=0)
        # Three places inside: a corner itself may lie on the other side of an edge.
        places = np.round(0.5 * middle + 0.5 * corners).astype(int)
        level = soft[places[:, 1], places[:, 0]].mean(axis=0)
        cv2.fillConvexPoly(canvas, corners, level.tolist(), cv2.LINE_AA)
    return canvas


def _jittered(size: tuple[int, int], pitch: float, rng: np.random.Generator) -> np.ndarray:
    """Return places (x, y) on a shaken grid that covers a picture, in random order."""
    rows, columns = int(size[0] / pitch) + 2, int(size[1] / pitch) + 2
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    spots = ((grid + rng.uniform(-0.6, 0.6, grid.shape)) * pitch).astype(int)
    return rng.permutation(np.clip(spots, 0, (size[1] - 1, size[0] - 1)))
