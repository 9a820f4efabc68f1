"""Background change: the same subject before another background (report, section 3.1).

The report repaints the complement of the subject's mask with FLUX Fill. Here the new background is a plain, named
colour or, on a stage that knows sceneries, another photograph in the light of the first, so that the subject itself
stays as it was to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from step1x_edit.data_engine.instructions import Colour, colours
from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.record import boxes_of, done_here
from step1x_edit.data_engine.scene import Placed, Scene, render
from step1x_edit.data_engine.stages.stage import Stage
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
    """Make one pair that puts what is shown before a plain colour or another scenery."""
    photographed = stage.photographed_subject(rng) if rng.random() < PHOTOGRAPHED or not stage.can_compose else None
    scene = photographed or stage.scene(rng, count=mixture().object_count(TASK, rng))
    elsewhere = stage.elsewhere(scene, rng)
    if elsewhere is None:
        colour = _other_colour(scene, rng, apart=stage.colours_apart)
        plain = np.broadcast_to(np.array(colour.rgb, dtype=np.uint8), scene.background.shape)
        objects = tuple(replace(one, shadow=0.0) for one in scene.objects)
        after, wish, detail = Scene(background=plain, objects=objects), Wish(key=TASK.value, colour=colour), colour.name
    else:
        after, scenery = elsewhere
        wish, detail = Wish(key=f"{TASK.value}-scene", scenery=scenery), scenery.name
    if len(scene.objects) == 1 and rng.random() < SUBJECT_NAMED:
        wish = replace(wish, key=f"{wish.key}-named", subject=scene.objects[-1].what)
    reference, target = render(scene.background, scene.objects), render(after.background, after.objects)
    return EditPair(
        reference=reference,
        target=target,
        # Soft rims change, and so does an object on which the shadow of another falls in one of the pictures only.
        changed=~_opaque(scene.objects, stage.size) | (reference != target).any(axis=-1),
        wish=wish,
        task=TASK,
        detail=detail,
        boxes=boxes_of(scene.objects, stage.size),
        sources=tuple(dict.fromkeys((*scene.sources, *after.sources))),
        stages=(done_here("compose", "compositing"),),
    )


def _other_colour(scene: Scene, rng: np.random.Generator, *, apart: bool) -> Colour:
    means = [scene.background.mean(axis=(0, 1))]
    if apart:
        means += [(one.colour * one.alpha).sum(axis=(0, 1)) / (one.alpha.sum() + 1e-6) for one in scene.objects]

    def distance(colour: Colour) -> float:
        return min(float(np.abs(mean - np.array(colour.rgb)).mean()) for mean in means)

    others = [one for one in colours().values() if distance(one) > SAME_COLOUR]
    # Among many objects every colour may be like one of them: then the one that is least so.
    return others[int(rng.integers(len(others)))] if others else max(colours().values(), key=distance)


def _opaque(objects: Sequence[Placed], size: int) -> Bool[np.ndarray, "size size"]:
    opaque = np.zeros((size, size), dtype=bool)
    for one in objects:
        opaque[one.box] |= one.alpha[..., 0] == 1
    return opaque
