"""The shape of a photographed thing, guessed from its outline and its light and shade, and that shape in other matter.

An outline is inflated like a cushion; what is bright stands out a little from it and what is dark lies deep. The normals
of that shape look a colour up in a matcap, the picture of a sphere of one material. No depth model is asked, so large
forms are round where the thing may be flat; folds, feathers and features stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from step1x_edit.data_engine.textures import SIDE, Texture
from step1x_edit.experts.extras import optional_package

__all__ = ["Form", "form_of", "lit", "matcap_colour", "seen_through", "surround", "texture_colour"]

Plane = Float32[np.ndarray, "rows columns"]

SOLVED_SIDE = 128
"""Long side at which the outline is inflated; the cushion is smooth, so nothing is lost."""
SWEEPS = 80
"""Jacobi sweeps at each of three sizes."""
LIGHTS_REACH = 0.06
"""Blur that parts light and shade from features, as a fraction of the long side."""
STEEPEST = 1.3
"""Slope that relief alone never exceeds."""
LAMP = np.array([-0.42, -0.58, 0.70], dtype=np.float32)
"""Direction to the light over a texture: right, down, toward the viewer."""
HALF_WAY = np.array([-0.228, -0.315, 0.922], dtype=np.float32)
"""Half-way between the light and the viewer."""
AMBIENT, DIFFUSE = 0.42, 0.78
"""Light from everywhere and from the lamp; a surface that faces the viewer is as bright as its texture."""
BULGE = 0.16
"""How far a texture runs ahead at the rim, as a fraction of the long side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A guessed shape; all planes are of the picture's size."""

    normals: Float32[np.ndarray, "rows columns 2"]
    """Right and down part of the unit normal, -1..1; 0 faces the viewer."""
    cushion: Float32[np.ndarray, "rows columns 2"]
    """The same without relief."""
    light: Plane
    """Lightness of the neighbourhood relative to the mean over the thing: its large light and shade."""
    features: Plane
    """Lightness relative to the neighbourhood."""


def form_of(lightness: Plane, alpha: Plane, *, relief: float) -> Form:
    """Guess the shape of a thing.

    Args:
        lightness: OKLab lightness, 0..1.
        alpha: Its matte, 0..1.
        relief: How far bright stands out above dark, as a fraction of the long side at full contrast.

    Raises:
        MissingExtra: OpenCV is not installed.
    """
    cv2 = optional_package("cv2")
    side = max(alpha.shape)
    inside = _spread(lightness, alpha, LIGHTS_REACH * side)
    fine = cv2.GaussianBlur(lightness, (0, 0), max(0.6, side / 420))
    features = (fine - inside) * np.clip(2 * alpha, 0, 1)
    cushion = _cushion(alpha)
    slope_x, slope_y = _slopes(features)
    strength = relief * side
    size = np.sqrt(slope_x**2 + slope_y**2) * strength + 1e-6
    held = strength * STEEPEST / (STEEPEST + size)
    x, y = cushion[..., 0] - held * slope_x, cushion[..., 1] - held * slope_y
    length = np.sqrt(x**2 + y**2 + 1 - np.minimum((cushion**2).sum(axis=-1), 0.95))
    mean = (inside * alpha).sum() / (alpha.sum() + 1e-6)
    return Form(
        normals=np.stack([x / length, y / length], axis=-1), cushion=cushion, light=inside - mean, features=features
    )


def matcap_colour(form: Form, matcap: UInt8[np.ndarray, "side side 3"]) -> Float32[np.ndarray, "rows columns 3"]:
    """Return the colour (sRGB levels) that a material's sphere has where it faces the same way."""
    cv2 = optional_package("cv2")
    half = matcap.shape[0] / 2
    # The last hundredth of a matcap is often its dark surround.
    at = (half + 0.95 * half * form.normals).astype(np.float32)
    return cv2.remap(
        matcap.astype(np.float32), at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def texture_colour(
    form: Form, texture: Texture, *, scale: float, start: tuple[float, float], gloss: float
) -> Float32[np.ndarray, "rows columns 3"]:
    """Return a texture laid over a form, under light from above on the left.

    Args:
        form: The shape.
        texture: A seamless tile.
        scale: Pixels of the tile for one pixel of the picture.
        start: Where the tile begins, right and down, in pixels of the tile.
        gloss: Strength of the highlight, 0..1.
    """
    cv2 = optional_package("cv2")
    rows, columns = form.light.shape
    # Where the form turns away, the tile runs faster: it lies on the thing rather than before it.
    bulge = BULGE * max(rows, columns) * form.cushion
    at = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) + bulge
    at = (at * scale + np.array(start)).astype(np.float32) % SIDE
    tile = np.dstack([texture.colour, texture.slopes])
    laid = cv2.remap(tile, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    x, y = form.normals[..., 0] - laid[..., 3], form.normals[..., 1] - laid[..., 4]
    z = np.sqrt(np.maximum(1 - (form.normals**2).sum(axis=-1), 0.05))
    length = np.sqrt(x**2 + y**2 + z**2)
    facing = np.maximum((LAMP[0] * x + LAMP[1] * y + LAMP[2] * z) / length, 0)
    # A highlight stands where the normal is half-way between lamp and viewer.
    half = np.maximum((HALF_WAY[0] * x + HALF_WAY[1] * y + HALF_WAY[2] * z) / length, 0) ** 40
    return laid[..., :3] * (AMBIENT + DIFFUSE * facing)[..., None] + (255 * gloss * half)[..., None]


def lit(
    colour: Float32[np.ndarray, "rows columns 3"], form: Form, *, light: float, features: float
) -> Float32[np.ndarray, "rows columns 3"]:
    """Darken and lighten a surface as the photograph was: by its large light and shade, and by its features."""
    return colour * np.exp(light * form.light + features * form.features)[..., None]


def _spread(values: Plane, alpha: Plane, sigma: float) -> Plane:
    """Blur values over a matte alone: nothing from outside comes in."""
    cv2 = optional_package("cv2")
    step = max(1, int(sigma / 4))
    size = (max(1, alpha.shape[1] // step), max(1, alpha.shape[0] // step))
    pair = cv2.resize(np.stack([values * alpha, alpha], axis=-1), size, interpolation=cv2.INTER_AREA)
    pair = cv2.GaussianBlur(pair, (0, 0), sigma / step)
    wide = cv2.resize(pair, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return wide[..., 0] / (wide[..., 1] + 1e-4)


def _cushion(alpha: Plane) -> Float32[np.ndarray, "rows columns 2"]:
    """Return right and down part of the unit normals of an inflated outline.

    The height h of a cushion solves laplace(h^2 / 4) = -1 with 0 along the outline; for a disc that is a half-sphere.
    """
    cv2 = optional_package("cv2")
    scale = min(1.0, SOLVED_SIDE / max(alpha.shape))
    small = [max(4, round(extent * scale)) for extent in alpha.shape]
    solved = np.zeros((1, 1), dtype=np.float32)
    for part in (4, 2, 1):
        size = (max(4, small[1] // part), max(4, small[0] // part))
        # One pixel more on every side: the outline is closed even where the thing is cut by the frame.
        open_part = cv2.copyMakeBorder(
            (cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) > 0.5).astype(np.float32), 1, 1, 1, 1,
            cv2.BORDER_REPLICATE,
        )  # fmt: skip
        solved = cv2.resize(solved, open_part.shape[::-1]) * 4
        for _ in range(SWEEPS):
            around = cv2.blur(solved, (3, 3), borderType=cv2.BORDER_REPLICATE) * 9 - solved
            solved = (around / 8 + 1 / 2.66) * open_part
    heights = cv2.resize(solved[1:-1, 1:-1], alpha.shape[::-1], interpolation=cv2.INTER_CUBIC)
    heights = cv2.GaussianBlur(np.maximum(heights, 0), (0, 0), 0.5 / scale)
    unit = alpha.shape[0] / small[0]
    slope_x, slope_y = (slope * unit for slope in _slopes(heights))
    height = np.sqrt(4 * heights) + 1e-3
    length = np.sqrt(4 * slope_x**2 + 4 * slope_y**2 + height**2)
    return np.stack([-2 * slope_x / length, -2 * slope_y / length], axis=-1)


def _slopes(plane: Plane) -> tuple[Plane, Plane]:
    cv2 = optional_package("cv2")
    return (
        cv2.Sobel(plane, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8),
        cv2.Sobel(plane, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8),
    )


def seen_through(
    form: Form, behind: UInt8[np.ndarray, "rows columns 3"], *, bend: float
) -> Float32[np.ndarray, "rows columns 3"]:
    """Return what is behind a thing of glass, bent by its form.

    Args:
        form: The shape.
        behind: The picture without the thing.
        bend: How far a ray is moved at the rim, as a fraction of the long side.
    """
    cv2 = optional_package("cv2")
    rows, columns = form.light.shape
    reach = bend * max(rows, columns)
    at = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) - reach * form.normals
    at = at.astype(np.float32)
    return cv2.remap(behind.astype(np.float32), at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def surround(
    picture: UInt8[np.ndarray, "height width 3"], alpha: Float32[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Return a picture whose thing is covered by its surround, spread smoothly inwards.

    A pyramid of ever smaller pictures without the thing; each hole is filled from the next smaller one.
    """
    cv2 = optional_package("cv2")
    known = 1 - cv2.dilate((alpha > 0.02).astype(np.float32), np.ones((9, 9), dtype=np.uint8))
    levels = [(picture.astype(np.float32) * known[..., None], known)]
    while min(levels[-1][1].shape) > 2:
        levels.append((cv2.pyrDown(levels[-1][0]), cv2.pyrDown(levels[-1][1])))
    filled = levels[-1][0] / (levels[-1][1][..., None] + 1e-6)
    for colours, weight in reversed(levels[:-1]):
        wide = cv2.resize(filled, weight.shape[::-1])
        share = weight[..., None]
        filled = np.where(share > 1e-3, colours, 0) + wide * (1 - np.where(share > 1e-3, share, 0))
    return np.clip(filled, 0, 255).astype(np.uint8)
