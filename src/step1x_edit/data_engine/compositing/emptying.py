"""Empties a photograph of its subject: matte, hole with the shadow in it, filling, a look at the filling.

Refused with a reason where a person would see it: a subject too large or cut off, a matte that is not sure, a filling
that is blurrier or busier than what is around it or does not join.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from step1x_edit.data_engine.compositing.texture import LUMA, grain_of, grainy
from step1x_edit.data_engine.pair import Refusal
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.experts.extras import optional_package

__all__ = ["Emptied", "emptied", "hole_of", "matte_refusal"]

Rgb = UInt8[np.ndarray, "size size 3"]
Pixels = Bool[np.ndarray, "size size"]
Matte = Float32[np.ndarray, "size size"]
SUBJECT = 0.3
"""Matte from which a pixel is taken out."""
GROWTH = 7 / 320
"""How far the hole is grown, as a share of the side: lenses and sharpening leave a halo around a subject."""
LARGEST, SMALLEST = 0.22, 0.012
"""Share of the picture the matte may take."""
UNSURE = 0.4
"""Share of the matte's pixels that may be neither in nor out."""
BORDER = 0.04
"""Share of a border that the matte must take to count as touching it."""
OPEN_BORDERS = 0
"""Borders other than the lower one that a subject may touch: a tower's foot may, what is cut off leaves a piece behind."""
FEET = 0.3
"""The lowest part of a subject, as a share of its height, around which its shadow is looked for."""
SHADOW_REACH = (0.12, 0.45)
"""How far below and beside the feet, as shares of the subject's height and width."""
SHADOW_STEP = 0.86
"""Brightness of a shadow relative to the ground beyond it."""
RIM = 0.012
"""Width of the strips on both sides of a hole's edge whose colours are compared, as a share of the side."""
SPREAD = 0.09
"""How far into the hole their difference is carried."""
RING = 0.08
"""Width of the ring a filling is compared with, as a share of the side."""
DETAIL = (0.4, 2.2)
"""Detail of a filling relative to the ring's; between them, not seen as a smear or a patch."""
SMEARED, MOST_SMEARED = 0.45, 0.18
"""Local detail below this share of what the calmer part of the ring has is a smear; share of the hole that may be one."""
LOCAL = 1 / 32
"""Side of a place in which detail is averaged, as a share of the picture's."""
SEAM = 2.4
"""Step across the hole's edge, relative to steps in the ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """A photograph without its subject."""

    picture: Rgb
    """Bit-equal to the photograph outside the hole."""
    hole: Pixels


def emptied(photo: Rgb, matte: Matte, experts: ExpertSet, rng: np.random.Generator) -> Emptied | Refusal:
    """Take the subject out of a photograph.

    Args:
        photo: The photograph.
        matte: Its subject's matte.
        experts: Fills the hole.
        rng: Makes the grain of the filling.
    """
    refusal = matte_refusal(matte)
    if refusal is not None:
        return refusal
    hole = hole_of(photo, matte)
    if hole.mean() > 1.6 * LARGEST:
        return Refusal(stage="matte", reason="The hole would be too large to fill.", value=float(hole.mean()))
    filled = _with_grain(photo, _joining(photo, experts.inpaint(photo, hole), hole), hole, rng)
    return _implausible(photo, filled, hole) or Emptied(picture=filled, hole=hole)


def matte_refusal(matte: Matte) -> Refusal | None:
    """Say why a matte does not serve for taking its subject out, if it does not."""
    area = float((matte > SUBJECT).mean())
    if not SMALLEST < area < LARGEST:
        reason = "The subject is too large." if area >= LARGEST else "The subject is too small."
        return Refusal(stage="matte", reason=reason, value=area, threshold=LARGEST if area >= LARGEST else SMALLEST)
    unsure = float(((matte > 0.1) & (matte < 0.9)).mean() / area)
    if unsure > UNSURE:
        return Refusal(stage="matte", reason="The matte is unsure.", value=unsure, threshold=UNSURE)
    borders = sum(float((edge > SUBJECT).mean()) > BORDER for edge in (matte[0], matte[:, 0], matte[:, -1]))
    if borders > OPEN_BORDERS:
        return Refusal(stage="matte", reason="The subject is cut off.", value=borders, threshold=OPEN_BORDERS)
    return None


def hole_of(photo: Rgb, matte: Matte) -> Pixels:
    """Return what is taken out of a photograph: the subject, a margin, and the shadow at its feet."""
    cv2 = optional_package("cv2")
    size = len(photo)
    core = (matte > SUBJECT).astype(np.uint8)
    core = cv2.morphologyEx(core, cv2.MORPH_CLOSE, _disc(cv2, GROWTH * size))
    # Holes in the matte (between legs) are filled only where they are small.
    grown = cv2.dilate(core, _disc(cv2, GROWTH * size))
    rows, columns = np.nonzero(core)
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    feet = core.copy()
    feet[: rows.max() - int(FEET * height)] = 0
    down, aside = max(3, int(SHADOW_REACH[0] * height)), max(3, int(SHADOW_REACH[1] * width))
    near = cv2.dilate(feet, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * aside + 1, 2 * down + 1)))
    below = cv2.dilate(feet, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (down + 1, down + 1)))
    shadow = (near > 0) & _darker(cv2, photo, grown > 0)
    joined = _joined_to(cv2, (grown > 0) | (below > 0), shadow)
    return cv2.dilate(joined.astype(np.uint8), _disc(cv2, 0.4 * GROWTH * size)) > 0


def _darker(cv2: object, photo: Rgb, subject: Pixels) -> Pixels:
    """Return where a photograph is clearly darker than the ground around, the subject left out."""
    blur = cv2.GaussianBlur  # pyright: ignore[reportAttributeAccessIssue]
    luma = (photo.astype(np.float32) @ LUMA).astype(np.float32)
    keep = 1 - subject.astype(np.float32)
    wide, weight = (blur(one, (0, 0), len(photo) / 9) for one in (luma * keep, keep))
    return blur(luma, (0, 0), len(photo) / 250) < SHADOW_STEP * wide / np.maximum(weight, 1e-3)


def _joined_to(cv2: object, hole: Pixels, shadow: Pixels) -> Pixels:
    """Add the parts of the shadow that touch the hole."""
    _, labels = cv2.connectedComponents((hole | shadow).astype(np.uint8))  # pyright: ignore[reportAttributeAccessIssue]
    return np.isin(labels, np.unique(labels[hole]))


def _disc(cv2: object, radius: float) -> UInt8[np.ndarray, "side side"]:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))  # pyright: ignore[reportAttributeAccessIssue]


def _joining(photo: Rgb, filled: Rgb, hole: Pixels) -> Rgb:
    """Take the step in colour across the hole's edge out of the filling, less and less toward its middle."""
    cv2 = optional_package("cv2")
    size, inside = len(photo), hole.astype(np.float32)
    near = cv2.GaussianBlur(inside, (0, 0), RIM * size)
    strips = inside * (near < 0.9), (1 - inside) * (near > 0.1)
    levels = filled.astype(np.float32)
    means = [_mean_around(cv2, levels, strip, 2 * RIM * size) for strip in strips]
    edge = np.minimum(means[0][1], means[1][1])
    step, _ = _mean_around(cv2, means[1][0] - means[0][0], edge * (near > 0.02) * (near < 0.98), SPREAD * size / 2)
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
    fade = np.exp(-depth / (SPREAD * size))[..., None]
    moved = np.clip(levels + np.clip(step, -24, 24) * fade + 0.5, 0, 255).astype(np.uint8)
    return np.where(hole[..., None], moved, photo)


def _mean_around(
    cv2: object, values: Float32[np.ndarray, "size size 3"], weight: Matte, sigma: float
) -> tuple[Float32[np.ndarray, "size size 3"], Matte]:
    """Return the weighted mean of values around each pixel, and how much weight there was."""
    blur = cv2.GaussianBlur  # pyright: ignore[reportAttributeAccessIssue]
    weight = weight.astype(np.float32)
    total = blur(weight, (0, 0), sigma)
    return blur(values * weight[..., None], (0, 0), sigma) / np.maximum(total, 1e-4)[..., None], total


def _with_grain(photo: Rgb, filled: Rgb, hole: Pixels, rng: np.random.Generator) -> Rgb:
    """Give the filling, which averages patches, the grain of the photograph."""
    levels = filled.astype(np.float32)
    own = grain_of(levels, hole.astype(np.float32))
    missing = np.sqrt(max(0.0, grain_of(photo.astype(np.float32), 1 - hole.astype(np.float32)) ** 2 - own**2))
    grained = (grainy(levels, float(missing), rng) + 0.5).astype(np.uint8)
    return np.where(hole[..., None], grained, photo)


def _implausible(photo: Rgb, filled: Rgb, hole: Pixels) -> Refusal | None:
    cv2 = optional_package("cv2")
    luma = (filled.astype(np.float32) @ LUMA).astype(np.float32)
    ring = (cv2.dilate(hole.astype(np.uint8), _disc(cv2, RING * len(photo))) > 0) & ~hole
    detail = np.abs(cv2.Laplacian(luma, cv2.CV_32F))
    ratio = float(detail[hole].mean() / max(float(detail[ring].mean()), 0.3))
    if not DETAIL[0] < ratio < DETAIL[1] and abs(detail[hole].mean() - detail[ring].mean()) > 1.5:
        reason = (
            "The filling is blurrier than its surround." if ratio < 1 else "The filling is busier than its surround."
        )
        return Refusal(stage="inpaint", reason=reason, value=ratio, threshold=DETAIL[0] if ratio < 1 else DETAIL[1])
    local = cv2.blur(detail, (max(3, int(LOCAL * len(photo))),) * 2)
    smeared = float((local[hole] < SMEARED * np.quantile(local[ring], 0.4)).mean())
    if smeared > MOST_SMEARED:
        reason = "The filling is smeared."
        return Refusal(stage="inpaint", reason=reason, value=smeared, threshold=MOST_SMEARED)
    soft = cv2.GaussianBlur(luma, (0, 0), 1.0)
    slope = np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1))
    edge = (cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~hole
    step = float(slope[edge].mean() / max(float(slope[ring].mean()), 4.0))
    if step > SEAM:
        return Refusal(stage="inpaint", reason="The filling does not join its surround.", value=step, threshold=SEAM)
    return None
