"""Background change: the same subject before one plain, named colour (report, section 3.1)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from step1x_edit.data_engine.instructions import Colour, colours
from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.scene import Scene, render
from step1x_edit.data_engine.stage import Stage
from step1x_edit.data_engine.wish import Wish
from step1x_edit.schema.tasks import EditTask

__all__ = ["change_background"]

TASK = EditTask.BACKGROUND_CHANGE
SUBJECT_NAMED = 0.3
"""How often a single subject is named."""
PHOTOGRAPHED = 0.5
"""How often the picture is a photograph with a subject of its own instead of a composed scene."""
SAME_COLOUR = 40
"""Mean difference in levels (0..255) below which a background already counts as of that colour."""


def change_background(stage: Stage, rng: np.random.Generator) -> EditPair:
    """Make one pair that puts what is shown before a plain colour."""
    photographed = stage.photographed_subject(rng) if rng.random() < PHOTOGRAPHED else None
    scene = photographed or stage.scene(rng, count=mixture().object_count(TASK, rng))
    colour = _other_colour(scene, rng)
    plain = np.broadcast_to(np.array(colour.rgb, dtype=np.uint8), scene.background.shape)
    opaque = np.zeros((stage.size, stage.size), dtype=bool)
    for one in scene.objects:
        opaque[one.box] |= one.alpha[..., 0] == 1
    named = len(scene.objects) == 1 and rng.random() < SUBJECT_NAMED
    key = f"{TASK.value}-named" if named else TASK.value
    subject = scene.objects[-1].what if named else None
    return EditPair(
        reference=render(scene.background, scene.objects),
        target=render(plain, [replace(one, shadow=0.0) for one in scene.objects]),
        # A shadow of one object may fall on another that stands behind it.
        changed=~opaque | _shaded(scene),
        wish=Wish(key=key, subject=subject, colour=colour),
        task=TASK,
        detail=colour.name,
    )


def _other_colour(scene: Scene, rng: np.random.Generator) -> Colour:
    mean = scene.background.mean(axis=(0, 1))
    others = [one for one in colours().values() if np.abs(mean - np.array(one.rgb)).mean() > SAME_COLOUR]
    return others[int(rng.integers(len(others)))]


def _shaded(scene: Scene) -> np.ndarray:
    """Return where rendering with and without shadows gives different pixels."""
    bare = render(scene.background, [replace(one, shadow=0.0) for one in scene.objects])
    return (bare != render(scene.background, scene.objects)).any(axis=-1)
