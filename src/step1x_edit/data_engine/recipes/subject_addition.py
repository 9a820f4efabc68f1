"""Subject addition: a scene without an object and the same scene with it (report, section 3.1)."""

from __future__ import annotations

import numpy as np

from step1x_edit.data_engine.instructions import Place, places
from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.scene import footprint, render
from step1x_edit.data_engine.stage import Stage
from step1x_edit.data_engine.wish import Wish
from step1x_edit.schema.tasks import EditTask

__all__ = ["add_subject"]

TASK = EditTask.SUBJECT_ADDITION
WITH_PLACE = 0.6
"""How often the instruction says where."""
UNSAID = Place(name="", en=(), zh=(), x=(0.4, 0.6), y=(0.5, 0.66))
"""Where an object goes when nothing is said: near the middle, so that the same wish has one answer, not any."""


def add_subject(stage: Stage, rng: np.random.Generator) -> EditPair:
    """Make one pair that adds a named object, where the instruction says if it does."""
    known = list(places().values())
    place = known[int(rng.integers(len(known)))] if rng.random() < WITH_PLACE else None
    scene = stage.scene(rng, count=mixture().object_count(TASK, rng), place=place or UNSAID)
    *others, subject = scene.objects
    key = f"{TASK.value}-placed" if place else TASK.value
    return EditPair(
        reference=render(scene.background, others),
        target=render(scene.background, scene.objects),
        changed=footprint([subject], (stage.size, stage.size)),
        wish=Wish(key=key, subject=subject.what, place=place),
        task=TASK,
        detail=place.name if place else "",
    )
