"""Subject addition: a scene without an object and the same scene with it (report, section 3.1).

As in the report, a photograph that was emptied of its subject is one kind of reference, so that the target is a real
photograph; the other kind is a photograph into which the object is put.
"""

from __future__ import annotations

import numpy as np

from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.record import boxes_of, done_here
from step1x_edit.data_engine.scene import footprint, render
from step1x_edit.data_engine.stages.emptied_photograph import emptied_photograph, takes_photograph
from step1x_edit.data_engine.stages.spots import side_of
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.wish import Wish
from step1x_edit.schema.tasks import EditTask

__all__ = ["add_subject"]

TASK = EditTask.SUBJECT_ADDITION
WITH_PLACE = 0.6
"""How often the instruction says where."""
PHOTOGRAPHED = 0.4
"""How often the object is the subject of a photograph that was emptied of it."""


def add_subject(stage: Stage, rng: np.random.Generator) -> EditPair | Refusal:
    """Make one pair that adds a named object, where the instruction says if it does."""
    if takes_photograph(stage, PHOTOGRAPHED, rng):
        return _to_photograph(stage, rng)
    scene, place = stage.addition(rng, with_place=WITH_PLACE)
    *others, subject = scene.objects
    key = f"{TASK.value}-placed" if place else TASK.value
    return EditPair(
        reference=render(scene.background, others),
        target=render(scene.background, scene.objects),
        changed=footprint([subject], (stage.size, stage.size)),
        wish=Wish(key=key, subject=subject.what, place=place),
        task=TASK,
        detail=place.name if place else "",
        boxes=boxes_of(scene.objects, stage.size),
        sources=scene.sources,
        stages=(done_here("compose", "compositing"),),
    )


def _to_photograph(stage: Stage, rng: np.random.Generator) -> EditPair | Refusal:
    """Put the subject of a photograph back into it."""
    found = emptied_photograph(stage, rng)
    if isinstance(found, Refusal):
        return found
    (box,) = boxes_of([found.subject], stage.size)
    side = side_of((box.left + box.right) / 2) if rng.random() < WITH_PLACE else None
    return EditPair(
        reference=found.empty,
        target=found.photo,
        changed=found.hole,
        wish=Wish(key=f"{TASK.value}-placed" if side else TASK.value, subject=found.subject.what, place=side),
        task=TASK,
        detail=side.name if side else "",
        boxes=(box,),
        sources=(found.source,),
        stages=found.stages,
    )
