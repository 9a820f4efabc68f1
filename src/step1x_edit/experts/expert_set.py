"""The calls a recipe or a filter may make. Which model answers is the expert set's business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from step1x_edit.experts.answers import Detection, Face, PartVersion, Tag, TextLine

__all__ = ["ExpertName", "ExpertSet"]

ExpertName = Literal[
    "matte", "detect", "tag", "inpaint", "stylise", "read_text", "face_landmarks", "features", "perceptual", "ask"
]
Rgb = UInt8[np.ndarray, "height width 3"]


@runtime_checkable
class ExpertSet(Protocol):
    """One narrow call each. A model is loaded at its first call.

    Every call raises :class:`~step1x_edit.errors.MissingExtra` when its part is absent, and
    :class:`~step1x_edit.errors.ExpertError` when the model fails.
    """

    def available(self, expert: ExpertName) -> bool:
        """Tell whether a call would find its part on this machine, without loading it."""
        ...

    def part(self, expert: ExpertName) -> PartVersion:
        """Return which model answers a call."""
        ...

    def matte(self, picture: Rgb) -> Float32[np.ndarray, "height width"]:
        """Return how much each pixel belongs to the salient subject, 0..1."""
        ...

    def detect(self, picture: Rgb) -> tuple[Detection, ...]:
        """Return objects of the COCO classes, best first."""
        ...

    def tag(self, picture: Rgb) -> tuple[Tag, ...]:
        """Return the five best ImageNet names of what the picture shows."""
        ...

    def inpaint(self, picture: Rgb, mask: Bool[np.ndarray, "height width"]) -> Rgb:
        """Return the picture with the masked part filled from its surround; the rest is bit-equal."""
        ...

    def stylise(self, picture: Rgb, style: str | UInt8[np.ndarray, "rows columns 3"]) -> Rgb:
        """Return the picture in a built-in style, by name, or in that of another picture. The size stays."""
        ...

    def read_text(self, picture: Rgb) -> tuple[TextLine, ...]:
        """Return lines of lettering, English or Chinese, top to bottom."""
        ...

    def face_landmarks(self, picture: Rgb) -> tuple[Face, ...]:
        """Return faces, the largest first."""
        ...

    def features(self, picture: Rgb) -> Float32[np.ndarray, " 1280"]:
        """Return semantic features of a picture, of unit length."""
        ...

    def perceptual(self, first: Rgb, second: Rgb) -> Float32[np.ndarray, "height width"]:
        """Return a map of perceptual distance (LPIPS-like, HED-VGG) between two pictures of one size."""
        ...

    def ask(self, question: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> str:
        """Return a multimodal LLM's answer to a question about pictures."""
        ...
