"""Tone transformation: a whole picture in another light, weather, season or finish (report, section 3.1).

As in the report, algorithms do it rather than a generator, and either direction may be the target.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from step1x_edit.data_engine.mixture import draw, mixture
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.record import boxes_of, done_here
from step1x_edit.data_engine.scene import Scene, render
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.tones import apply_tone, foliage_share
from step1x_edit.data_engine.wish import Wish
from step1x_edit.measures.colour import luminance, to_linear
from step1x_edit.schema.tasks import EditTask

__all__ = ["transform_tone"]

TASK = EditTask.TONE_TRANSFORMATION
UNDONE = {
    "clear": "fog",
    "day": "night",
    "derain": "rain",
    "desnow": "snow",
    "colourise": "black and white",
    "deblur": "blur",
    "denoise": "grain",
}
"""Looks that undo another one."""
COMPOSED = 0.25
"""How often the picture is a composed scene instead of a photograph."""
VISIBLE = 9.0
"""Mean difference in levels (0..255) that a look must make."""
FAINTER = {"deblur": 3.0, "muted": 6.0, "colourise": 14.0}
"""The same for looks that are seen sooner or later than others."""
NEEDS_PLANTS = {"autumn": 0.15, "winter": 0.15}
"""Share of the picture that must be green for a season to show."""
OUTDOORS = frozenset({"rain", "derain", "snow", "desnow", "dawn", "overcast"})
"""Looks that no studio has."""
DARK = 0.06
"""Mean linear luminance below which a picture is night already."""


def transform_tone(stage: Stage, rng: np.random.Generator) -> EditPair:
    """Make one pair that changes the look of a whole picture."""
    while True:
        scene, name = _scene(stage, rng), draw(stage.tones, rng)
        picture = render(scene.background, scene.objects)
        reference, target = picture, apply_tone(UNDONE.get(name, name), picture)
        if (scene.source or name not in OUTDOORS) and _suits(picture, target, name):
            break
    if name in UNDONE:
        reference, target = target, reference
    return EditPair(
        reference=reference,
        target=target,
        changed=np.ones(reference.shape[:2], dtype=bool),
        wish=Wish(key=f"{TASK.value}-{name.replace(' ', '-')}"),
        task=TASK,
        detail=name,
        boxes=boxes_of(scene.objects, stage.size),
        sources=scene.sources,
        stages=(done_here("tone", "tones", f"look={UNDONE.get(name, name)}"),),
    )


def _scene(stage: Stage, rng: np.random.Generator) -> Scene:
    if rng.random() >= COMPOSED or not stage.can_compose:
        return stage.photograph(rng)
    return stage.scene(rng, count=mixture().object_count(TASK, rng))


def _suits(picture: UInt8[np.ndarray, "size size 3"], changed: UInt8[np.ndarray, "size size 3"], name: str) -> bool:
    """Tell whether a look makes sense for a picture and can be seen on it."""
    if np.abs(picture.astype(np.int16) - changed).mean() < FAINTER.get(name, VISIBLE):
        return False
    if name in NEEDS_PLANTS:
        return foliage_share(picture) > NEEDS_PLANTS[name]
    return float(luminance(to_linear(picture)).mean()) > DARK
