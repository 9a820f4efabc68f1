"""Subject removal: a scene with the object and the same scene without it (report, section 3.1).

The report erases objects from photographs with an inpainting model; here the clean picture comes first and the object
is put into it, so the target is untouched photograph.
"""

from __future__ import annotations

import numpy as np

from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.scene import footprint, render
from step1x_edit.data_engine.stage import Stage, side_of
from step1x_edit.data_engine.wish import Wish
from step1x_edit.schema.tasks import EditTask

__all__ = ["remove_subject"]

TASK = EditTask.SUBJECT_REMOVAL
WITH_SIDE = 0.3
"""How often the side is said when the object has company and clearly lies on one side."""


def remove_subject(stage: Stage, rng: np.random.Generator) -> EditPair:
    """Make one pair that removes a named object and leaves the others."""
    scene = stage.scene(rng, count=mixture().object_count(TASK, rng))
    subject = scene.objects[int(rng.integers(len(scene.objects)))]
    others = [one for one in scene.objects if one is not subject]
    side = side_of(subject, stage.size) if others and rng.random() < WITH_SIDE else None
    key = f"{TASK.value}-placed" if side else TASK.value
    return EditPair(
        reference=render(scene.background, scene.objects),
        target=render(scene.background, others),
        changed=footprint([subject], (stage.size, stage.size)),
        wish=Wish(key=key, subject=subject.what, place=side),
        task=TASK,
        detail="",
    )
