"""One object of a scene in another colour or matter, with the rest as it was to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from step1x_edit.data_engine.scene import Placed, Scene, footprint, render

__all__ = ["Resurfaced", "cropped", "is_photographed", "resurfaced"]

FAINT = 0.03
"""A matte below this is nothing: no haze is left around an object."""

Surface = Callable[[Placed], Float32[np.ndarray, "rows columns 3"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resurfaced:
    """Both pictures, and where they may differ."""

    reference: UInt8[np.ndarray, "height width 3"]
    target: UInt8[np.ndarray, "height width 3"]
    changed: Bool[np.ndarray, "height width"]


def is_photographed(scene: Scene) -> bool:
    """Tell whether a scene is one photograph with its own subject."""
    return len(scene.objects) == 1 and scene.objects[0].alpha.shape[:2] == scene.background.shape[:2]


def cropped(subject: Placed) -> Placed:
    """Return an object cut to its matte, faint haze left out."""
    alpha = np.where(subject.alpha < FAINT, 0, subject.alpha)
    rows, columns = (np.flatnonzero(alpha[..., 0].max(axis=axis) > 0) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    top, left = subject.top + int(rows[0]), subject.left + int(columns[0])
    return replace(subject, colour=subject.colour[box], alpha=alpha[box], top=top, left=left)


def resurfaced(scene: Scene, subject: Placed, colour: Float32[np.ndarray, "rows columns 3"]) -> Resurfaced:
    """Give an object of a scene other colours.

    Args:
        scene: The scene.
        subject: One of its objects.
        colour: What the object's own sRGB levels become, for the part that :func:`cropped` leaves.
    """
    part = cropped(subject)
    changed = footprint([replace(part, shadow=0.0)], scene.background.shape[:2])
    if is_photographed(scene):
        # At a soft edge the photograph is a mix of object and surround; the object's share alone is exchanged, so that
        # neither its old colour nor a rim of the surround is left.
        target = scene.background.astype(np.float32)
        target[part.box] += part.alpha * (colour - part.colour)
        levels = np.clip(target + 0.5, 0, 255).astype(np.uint8)
        return Resurfaced(
            reference=scene.background, target=np.where(changed[..., None], levels, scene.background), changed=changed
        )
    new = replace(part, colour=colour)
    others = [part if one is subject else one for one in scene.objects]
    return Resurfaced(
        reference=render(scene.background, others),
        target=render(scene.background, [new if one is part else one for one in others]),
        changed=changed,
    )
