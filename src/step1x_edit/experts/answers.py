"""What experts answer: small typed records, the same whichever model stands behind a call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

__all__ = ["Detection", "Face", "PartVersion", "Tag", "TextLine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartVersion:
    """Which model answered."""

    part: str
    """Name in ``parts.toml``, or the id of a hosted model."""
    version: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """An object and its box."""

    label: str
    """English class name, lower case."""
    score: float
    """0..1."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A name for what a picture shows."""

    label: str
    score: float
    """0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """A line of lettering."""

    text: str
    score: float
    corners: Float32[np.ndarray, "4 2"]
    """x, y in pixels: top left, top right, bottom right, bottom left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A face and its landmarks."""

    score: float
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""
    landmarks: Float32[np.ndarray, "468 2"]
    """x, y in pixels, numbered as in MediaPipe's face mesh."""
