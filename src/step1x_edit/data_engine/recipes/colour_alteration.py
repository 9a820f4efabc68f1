"""Colour alteration: a named object takes a named colour, its shading stays (report, section 3.1).

The report repaints with a depth-conditioned model. Here hue and chroma move in OKLab inside the object's own matte, and
lightness moves as a whole toward the colour's, so that a yellow is not a brown and folds, gloss and texture remain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from step1x_edit.data_engine.instructions import Colour
from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.record import boxes_of, done_here
from step1x_edit.data_engine.resurfacing import cropped, resurfaced
from step1x_edit.data_engine.scene import Placed, Scene
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.wish import Wish
from step1x_edit.measures.colour import from_oklab, to_oklab
from step1x_edit.schema.tasks import EditTask

__all__ = ["alter_colour", "recoloured"]

TASK = EditTask.COLOUR_ALTERATION
PHOTOGRAPHED = 0.35
"""How often the object is the subject of a photograph instead of one of a composed scene."""
VISIBLE = 0.13
"""Mean OKLab distance over the object that a new colour must make."""
SMALLEST = 0.015
"""Share of the picture an object must cover for its colour to be worth a wish."""
COLOURFUL = 0.05
"""Mean OKLab chroma from which an object has a colour of its own, which alone is changed."""
LIGHTNESS_PULL = {"black": 0.9, "white": 0.9}
USUAL_PULL = 0.6
"""How far the mean lightness goes toward that of the colour."""
LIGHTS_OF_WHITE = 1.2
"""What reaches a white's lightness is not the mean but what lies so many standard deviations above it: shading stays."""


def alter_colour(stage: Stage, rng: np.random.Generator) -> EditPair | Refusal:
    """Make one pair that changes the colour of a named object."""
    scene = _scene(stage, rng)
    able = [one for one in scene.objects if stage.colours_of(one.what)]
    subject = able[int(rng.integers(len(able)))]
    share = float(subject.alpha.sum()) / stage.size**2
    if share < SMALLEST:
        return Refusal(
            stage="choose", reason="The object is too small.", value=share, threshold=SMALLEST, sources=scene.sources
        )
    change = _visible_change(cropped(subject), stage.colours_of(subject.what), rng)
    if change is None:
        return Refusal(stage="choose", reason="No colour would be seen on it.", sources=scene.sources)
    colour, painted = change
    pictures = resurfaced(scene, subject, painted.colour)
    return EditPair(
        reference=pictures.reference,
        target=pictures.target,
        changed=pictures.changed,
        wish=Wish(key=TASK.value, subject=subject.what, colour=colour),
        task=TASK,
        detail=colour.name,
        boxes=boxes_of(scene.objects, stage.size),
        sources=scene.sources,
        stages=(done_here("recolour", "recipes.colour_alteration", f"colour={colour.name.replace(' ', '-')}"),),
    )


def recoloured(subject: Placed, colour: Colour) -> Placed:
    """Return the object in a colour."""
    lab = to_oklab(np.clip(subject.colour + 0.5, 0, 255).astype(np.uint8))
    wanted = to_oklab(np.array(colour.rgb, dtype=np.uint8))
    share = _own_colour(lab, subject.alpha)
    mean = (lab[..., 0:1] * share * subject.alpha).sum() / ((share * subject.alpha).sum() + 1e-6)
    pull = LIGHTNESS_PULL.get(colour.name, USUAL_PULL)
    lights = 0.0
    if colour.name == "white":
        spread = ((lab[..., 0:1] - mean) ** 2 * share * subject.alpha).sum() / ((share * subject.alpha).sum() + 1e-6)
        lights = LIGHTS_OF_WHITE * float(spread) ** 0.5
    lightness = np.clip(mean + pull * (wanted[0] - lights - mean) + 0.9 * (lab[..., 0:1] - mean), 0.03, 0.99)
    # Chroma follows the light like a body colour: less in shade, and none where gloss is white.
    shade = np.clip(lightness / wanted[0], 0, 1.1) * np.clip((1.0 - lightness) / 0.12, 0, 1)
    target = np.concatenate([lightness, wanted[1:] * shade], axis=-1)
    levels = from_oklab((lab + share * (target - lab)).astype(np.float32))
    return replace(subject, colour=np.where(share > 0, levels, subject.colour).astype(np.float32))


def _scene(stage: Stage, rng: np.random.Generator) -> Scene:
    """Return a scene with an object whose colour may be changed."""
    photographed = (
        stage.photographed_subject(rng, recolourable=True)
        if rng.random() < PHOTOGRAPHED or not stage.can_compose
        else None
    )
    while photographed is None:
        scene = stage.scene(rng, count=mixture().object_count(TASK, rng))
        if any(stage.colours_of(one.what) for one in scene.objects):
            return scene
    return photographed


def _visible_change(subject: Placed, able: Sequence[Colour], rng: np.random.Generator) -> tuple[Colour, Placed] | None:
    """Take colours in random order until one can be seen; None where none can."""
    before = to_oklab(np.clip(subject.colour + 0.5, 0, 255).astype(np.uint8))
    for index in rng.permutation(len(able)):
        painted = recoloured(subject, able[index])
        after = to_oklab(np.clip(painted.colour + 0.5, 0, 255).astype(np.uint8))
        distance = np.linalg.norm(after - before, axis=-1, keepdims=True)
        if float((distance * subject.alpha).sum() / subject.alpha.sum()) > VISIBLE:
            return able[index], painted
    return None


def _own_colour(
    lab: Float32[np.ndarray, "rows columns 3"], alpha: Float32[np.ndarray, "rows columns 1"]
) -> Float32[np.ndarray, "rows columns 1"]:
    """Return how much each pixel has the object's own colour, 0..1: the paint of a car, not its tyres.

    Objects without a clear colour, or with many, are one everywhere.
    """
    chroma = np.linalg.norm(lab[..., 1:], axis=-1, keepdims=True)
    own = (lab[..., 1:] * alpha).sum(axis=(0, 1))
    area = alpha.sum() + 1e-6
    if np.linalg.norm(own) < COLOURFUL * area:
        return np.ones_like(alpha)
    towards = (lab[..., 1:] @ (own / np.linalg.norm(own)))[..., None] / (chroma + 1e-6)
    share = np.clip((towards - 0.1) / 0.4, 0, 1) * np.clip(chroma / 0.05, 0, 1)
    return share.astype(np.float32) if (share * alpha).sum() > 0.35 * area else np.ones_like(alpha)
