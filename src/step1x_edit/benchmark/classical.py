"""The classical editor: an honest baseline without a network, for tone, colour and background.

It sees what every editor sees, a picture and a sentence. Words decide what is wanted (``classical.toml``); a subject is
whatever differs from the colours along the border. Other wishes leave the picture as it is.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image, ImageFilter

__all__ = ["ClassicalEditor"]

Rgb = UInt8[np.ndarray, "height width 3"]
BACKGROUND = ("background", "backdrop", "背景")
RECOLOUR = (
    "make",
    "turn",
    "paint",
    "colo",
    "dye",
    "应",
    "改",
    "变",
    "染",
    "涂",
    "换",
    "want",
    "give",
    "should",
    "想要",
    "要",
)
BORDER_COLOURS = 12
"""Colours the border is summarised by."""
LIKE_THE_BORDER = 34.0
"""Distance in levels (0..255) below which a pixel counts as background."""


class ClassicalEditor:
    """Edits by rules; the same answer for the same picture and sentence, whatever the seed."""

    name = "classical"
    version = "1"

    def edit(self, reference: Rgb, instruction: str, *, seed: int) -> Rgb:  # noqa: ARG002 - every editor takes a seed
        """Return the edited picture, or the picture as it is when the wish is beyond the rules."""
        text = instruction.lower()
        if any(word in text for word in BACKGROUND):
            colour = _first("colour", text)
            return reference if colour is None else _before_plain(reference, colour["rgb"])
        tone = _first("tone", text)
        if tone is not None:
            return _toned(reference, tone)
        colour = _first("colour", text)
        if colour is not None and any(word in text for word in RECOLOUR):
            return _recoloured(reference, colour["rgb"])
        return reference


def _first(kind: str, text: str) -> dict[str, Any] | None:
    return next((rule for rule in _rules()[kind] if any(word in text for word in rule["words"])), None)


@cache
def _rules() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(Path(__file__).with_name("classical.toml").read_text(encoding="utf-8"))


def _toned(picture: Rgb, rule: dict[str, Any]) -> Rgb:
    levels = picture.astype(np.float32)
    grey = (levels @ np.array([0.299, 0.587, 0.114], dtype=np.float32))[..., None]
    levels = grey + rule.get("saturation", 1.0) * (levels - grey)
    levels = 128 + rule.get("contrast", 1.0) * (levels - 128)
    levels = levels * np.array(rule.get("gain", (1, 1, 1)), dtype=np.float32)
    share = rule.get("share", 0.0)
    return _levels((1 - share) * levels + share * np.array(rule.get("mix", (0, 0, 0)), dtype=np.float32))


def _before_plain(picture: Rgb, rgb: list[int]) -> Rgb:
    subject = _subject_share(picture)[..., None]
    return _levels(subject * picture + (1 - subject) * np.array(rgb, dtype=np.float32))


def _recoloured(picture: Rgb, rgb: list[int]) -> Rgb:
    """Give the subject a hue; its light and shade stay around the colour's own level."""
    subject = _subject_share(picture)
    grey = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    mean = float((grey * subject).sum() / (subject.sum() + 1e-6)) + 1
    shade = np.clip(0.5 + 0.5 * grey / mean, 0, 1.6)[..., None]
    painted = shade * np.array(rgb, dtype=np.float32)
    return _levels(subject[..., None] * painted + (1 - subject[..., None]) * picture)


def _subject_share(picture: Rgb) -> Float32[np.ndarray, "height width"]:
    """Return how much each pixel belongs to what differs from the border, 0..1, with soft edges."""
    smooth = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1.5)), dtype=np.float32)
    border = np.concatenate([smooth[:3].reshape(-1, 3), smooth[:, :3].reshape(-1, 3), smooth[:, -3:].reshape(-1, 3)])
    colours = _summary(border)
    nearest = np.full(smooth.shape[:2], np.inf, dtype=np.float32)
    for colour in colours:
        nearest = np.minimum(nearest, np.abs(smooth - colour).mean(axis=-1))
    background = _reached_from_border(nearest < LIKE_THE_BORDER)
    soft = Image.fromarray((255 * ~background).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.0))
    return np.asarray(soft, dtype=np.float32) / 255


def _summary(border: Float32[np.ndarray, "pixels 3"]) -> Float32[np.ndarray, "colours 3"]:
    """Return colours such that every border pixel is near one of them, greedily, the commonest first."""
    chosen = [np.median(border, axis=0)]
    while len(chosen) < BORDER_COLOURS:
        distance = np.min([np.abs(border - colour).mean(axis=-1) for colour in chosen], axis=0)
        if distance.max() < LIKE_THE_BORDER:
            break
        chosen.append(border[int(distance.argmax())])
    return np.array(chosen, dtype=np.float32)


def _reached_from_border(like: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Keep the parts of a mask that touch the border: a subject may hold pixels of the border's colours."""
    reached = np.zeros_like(like)
    reached[[0, -1]], reached[:, [0, -1]] = like[[0, -1]], like[:, [0, -1]]
    while True:
        grown = reached.copy()
        # A sweep in each direction carries the region along whole rows and columns.
        for axis in (0, 1):
            for view, allowed in ((grown, like), (np.flip(grown, axis), np.flip(like, axis))):
                _swept(np.moveaxis(view, axis, 0), np.moveaxis(allowed, axis, 0))
        if np.array_equal(grown, reached):
            return reached
        reached = grown


def _swept(region: Bool[np.ndarray, "lines length"], allowed: Bool[np.ndarray, "lines length"]) -> None:
    for line in range(1, len(region)):
        region[line] |= region[line - 1] & allowed[line]


def _levels(values: np.ndarray) -> Rgb:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)
