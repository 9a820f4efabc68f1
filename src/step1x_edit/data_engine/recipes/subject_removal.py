"""Subject removal: a picture with an object and the same picture without it (report, section 3.1).

The report erases objects from photographs with an inpainting model; so does this recipe where experts are at hand:
matte, hole, filling. The other kind is made the other way round: the clean photograph comes first and the object is
put into it, so that the target is untouched photograph.
"""

from __future__ import annotations

import numpy as np

from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.record import boxes_of, done_here
from step1x_edit.data_engine.scene import footprint, render
from step1x_edit.data_engine.stages.emptied_photograph import emptied_photograph, takes_photograph
from step1x_edit.data_engine.stages.spots import side_of
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.wish import Wish
from step1x_edit.schema.tasks import EditTask

__all__ = ["remove_subject"]

TASK = EditTask.SUBJECT_REMOVAL
WITH_SIDE = 0.3
"""How often the side is said when the object has company and clearly lies on one side."""
PHOTOGRAPHED = 0.6
"""How often the object is the subject of a photograph."""


def remove_subject(stage: Stage, rng: np.random.Generator) -> EditPair | Refusal:
    """Make one pair that removes a named object and leaves the others."""
    if takes_photograph(stage, PHOTOGRAPHED, rng):
        return _from_photograph(stage, rng)
    scene = stage.scene(rng, count=mixture().object_count(TASK, rng))
    subject = scene.objects[int(rng.integers(len(scene.objects)))]
    others = [one for one in scene.objects if one is not subject]
    side = side_of(subject.middle[0] / stage.size) if others and rng.random() < WITH_SIDE else None
    key = f"{TASK.value}-placed" if side else TASK.value
    return EditPair(
        reference=render(scene.background, scene.objects),
        target=render(scene.background, others),
        changed=footprint([subject], (stage.size, stage.size)),
        wish=Wish(key=key, subject=subject.what, place=side),
        task=TASK,
        boxes=boxes_of(scene.objects, stage.size),
        sources=scene.sources,
        stages=(done_here("compose", "compositing"),),
    )


def _from_photograph(stage: Stage, rng: np.random.Generator) -> EditPair | Refusal:
    """Take the subject out of a photograph."""
    found = emptied_photograph(stage, rng)
    if isinstance(found, Refusal):
        return found
    return EditPair(
        reference=found.photo,
        target=found.empty,
        changed=found.hole,
        wish=Wish(key=TASK.value, subject=found.subject.what),
        task=TASK,
        boxes=boxes_of([found.subject], stage.size),
        sources=(found.source,),
        stages=found.stages,
    )
