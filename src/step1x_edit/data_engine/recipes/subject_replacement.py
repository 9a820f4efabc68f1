"""Subject replacement: one object gives way to another of like size at the same spot (report, section 3.1).

The report repaints the masked subject of a photograph with FLUX Fill. Here the photograph is emptied and the other
object put into it; or both objects are put into a photograph, one in each picture.
"""

from __future__ import annotations

import numpy as np

from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.record import boxes_of, done_here
from step1x_edit.data_engine.scene import Scene, footprint, render
from step1x_edit.data_engine.stages.emptied_photograph import emptied_photograph, takes_photograph
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.wish import Wish
from step1x_edit.schema.tasks import EditTask

__all__ = ["replace_subject"]

TASK = EditTask.SUBJECT_REPLACEMENT
PHOTOGRAPHED = 0.5
"""How often the object that goes is the subject of a photograph."""

NOTHING_FITS = "No other object belongs where this one is."


def replace_subject(stage: Stage, rng: np.random.Generator) -> EditPair | Refusal:
    """Make one pair that replaces a named object by another."""
    if takes_photograph(stage, PHOTOGRAPHED, rng):
        return _in_photograph(stage, rng)
    scene = stage.scene(rng, count=mixture().object_count(TASK, rng))
    old = scene.objects[int(rng.integers(len(scene.objects)))]
    new = stage.substitute(scene, old, rng)
    if new is None:
        return Refusal(stage="choose", reason=NOTHING_FITS, sources=scene.sources)
    return EditPair(
        reference=render(scene.background, scene.objects),
        target=render(scene.background, [new if one is old else one for one in scene.objects]),
        changed=footprint([old, new], (stage.size, stage.size)),
        wish=Wish(key=TASK.value, subject=old.what, other=new.what),
        task=TASK,
        detail=new.what.name,
        boxes=boxes_of([*scene.objects, new], stage.size),
        sources=tuple(dict.fromkeys((*scene.sources, new.source))),
        stages=(done_here("compose", "compositing"),),
    )


def _in_photograph(stage: Stage, rng: np.random.Generator) -> EditPair | Refusal:
    """Empty a photograph of its subject and put another object there."""
    found = emptied_photograph(stage, rng, replaceable=True)
    if isinstance(found, Refusal):
        return found
    old = found.subject
    new = stage.substitute(Scene(background=found.empty, objects=(old,)), old, rng)
    if new is None:
        return Refusal(stage="choose", reason=NOTHING_FITS, sources=(found.source,))
    return EditPair(
        reference=found.photo,
        target=render(found.empty, [new]),
        changed=found.hole | footprint([new], (stage.size, stage.size)),
        wish=Wish(key=TASK.value, subject=old.what, other=new.what),
        task=TASK,
        detail=new.what.name,
        boxes=boxes_of([old, new], stage.size),
        sources=(found.source, new.source),
        stages=(*found.stages, done_here("compose", "compositing")),
    )
