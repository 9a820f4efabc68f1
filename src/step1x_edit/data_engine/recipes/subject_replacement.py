"""Subject replacement: one object gives way to another of like size at the same spot (report, section 3.1)."""

from __future__ import annotations

import numpy as np

from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.scene import footprint, render
from step1x_edit.data_engine.stage import Stage
from step1x_edit.data_engine.wish import Wish
from step1x_edit.schema.tasks import EditTask

__all__ = ["replace_subject"]

TASK = EditTask.SUBJECT_REPLACEMENT


def replace_subject(stage: Stage, rng: np.random.Generator) -> EditPair:
    """Make one pair that replaces a named object by another."""
    scene = stage.scene(rng, count=mixture().object_count(TASK, rng))
    old = scene.objects[int(rng.integers(len(scene.objects)))]
    present = {one.what for one in scene.objects}
    absent = [what for what in stage.classes if what not in present]
    new = stage.instead_of(scene.background, old, absent[int(rng.integers(len(absent)))], rng)
    return EditPair(
        reference=render(scene.background, scene.objects),
        target=render(scene.background, [new if one is old else one for one in scene.objects]),
        changed=footprint([old, new], (stage.size, stage.size)),
        wish=Wish(key=TASK.value, subject=old.what, other=new.what),
        task=TASK,
        detail=new.what.name,
    )
