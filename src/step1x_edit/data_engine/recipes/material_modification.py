"""Material modification: a named object becomes gold, glass, wood, marble ... (report, section 3.1).

The report repaints with a depth-conditioned model. Here the object's form is guessed from its outline and its light and
shade, and a sphere of the material tells the colour of each direction; or a texture is laid over that form.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, UInt8

from step1x_edit.data_engine.materials import Matcaps, Material, drawn_texture, materials
from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.record import boxes_of, done_here
from step1x_edit.data_engine.resurfacing import cropped, is_photographed, resurfaced
from step1x_edit.data_engine.scene import Placed, Scene, render
from step1x_edit.data_engine.stages.stage import SUBJECT, Stage
from step1x_edit.data_engine.surfaces import Form, form_of, lit, matcap_colour, seen_through, surround, texture_colour
from step1x_edit.data_engine.textures import SIDE
from step1x_edit.data_engine.wish import Wish
from step1x_edit.measures.colour import to_oklab
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import StageRecord

__all__ = ["modify_material"]

TASK = EditTask.MATERIAL_MODIFICATION
FIRM = 0.5
"""Matte from which a pixel is the subject's."""
PHOTOGRAPHED = 0.8
"""How often the object is the subject of a photograph instead of one of a composed scene."""
SMALLEST = 0.03
"""Share of the picture an object must cover for its material to be told."""
LARGEST = 0.5
"""Share above which a subject has no outline to tell its form from."""
UNLIKELY = frozenset(
    {
        "astronaut",
        "person",
        "musician",
        "solar panel",
        "plate",
        "scale",
        "scissors",
        "nail clipper",
        "gamepad",
        "tape measure",
        "candle",
        "splash",
    }
)
"""Nobody is made of brick; and plates and blades are flat, so that the form guessed for them is wrong."""
CUT_OFF = 0.05
"""Share of a border of the picture that a subject may take; more of it, and its outline tells no form."""
LARGEST_CLEAR = 0.25
"""Share above which too little of the surround is seen for glass to show it."""
RELIEF = 0.02
"""How far bright parts stand out, as a fraction of the object's long side."""
LIGHT, FEATURES = 0.4, 1.2
"""How much of the photograph's large light and shade, and of the object's drawing, is kept."""
BEND = 0.2
"""How far glass moves what is behind it at the rim, as a fraction of its long side."""
GLINT = 150.0
"""Level above which a sphere's light is a highlight that clear matter shows in full."""


def modify_material(stage: Stage, rng: np.random.Generator) -> EditPair | Refusal:
    """Make one pair that changes what a named object is made of."""
    photographed = stage.photographed_subject(rng) if rng.random() < PHOTOGRAPHED or not stage.can_compose else None
    if photographed is None or not _has_form(photographed.objects[0]):
        photographed = None
    scene = photographed or stage.scene(rng, count=int(rng.integers(1, 3)))
    subject = scene.objects[-1]
    share = float(subject.alpha.sum()) / stage.size**2
    if share < SMALLEST:
        return Refusal(
            stage="choose", reason="The object is too small.", value=share, threshold=SMALLEST, sources=scene.sources
        )
    if share > LARGEST:
        return Refusal(
            stage="choose", reason="The object fills the picture.", value=share, threshold=LARGEST,
            sources=scene.sources,
        )  # fmt: skip
    if subject.what.name in UNLIKELY:
        return Refusal(stage="choose", reason="It keeps what it is made of.", sources=scene.sources)
    able = [one for one in materials().values() if one.texture or stage.matcaps.available]
    able = [one for one in able if subject.what.name not in one.unlike]
    able = [one for one in able if not one.clear or share < LARGEST_CLEAR]
    material = able[int(rng.integers(len(able)))]
    colour, record = _made_of(material, subject, scene, stage.matcaps, rng)
    pictures = resurfaced(scene, subject, colour)
    return EditPair(
        reference=pictures.reference,
        target=pictures.target,
        changed=pictures.changed,
        wish=Wish(key=TASK.value, subject=subject.what, material=material),
        task=TASK,
        detail=material.name,
        boxes=boxes_of(scene.objects, stage.size),
        sources=scene.sources,
        stages=(record,),
    )


def _has_form(subject: Placed) -> bool:
    """Tell whether the subject of a photograph has a name and an outline that shows its form."""
    inside = subject.alpha[..., 0] > FIRM
    cut = max(inside[0].mean(), inside[-1].mean(), inside[:, 0].mean(), inside[:, -1].mean()) > CUT_OFF
    return subject.what is not SUBJECT and subject.what.name not in UNLIKELY and not cut


def _made_of(
    material: Material, subject: Placed, scene: Scene, matcaps: Matcaps, rng: np.random.Generator
) -> tuple[Float32[np.ndarray, "rows columns 3"], StageRecord]:
    """Return an object's levels in a material, and how they came to be."""
    part = cropped(subject)
    lightness = to_oklab(np.clip(part.colour + 0.5, 0, 255).astype(np.uint8))[..., 0]
    form = form_of(lightness, part.alpha[..., 0], relief=RELIEF)
    if material.texture:
        start = rng.uniform(0, SIDE, 2)
        scale = SIDE / max(lightness.shape) * rng.uniform(0.85, 1.1)
        texture = drawn_texture(material.texture)
        colour = texture_colour(form, texture, scale=scale, start=(start[0], start[1]), gloss=material.gloss)
        record = done_here("texture", "textures", f"texture={material.texture}")
    else:
        number = material.matcaps[int(rng.integers(len(material.matcaps)))]
        colour = matcap_colour(form, matcaps.sphere(number))
        record = StageRecord(stage="matcap", part=matcaps.PART, version=matcaps.version, parameters=f"sphere={number}")
    if material.clear:
        colour = _clear(colour, form, _behind(part, subject, scene), material.clear)
    return lit(colour, form, light=LIGHT, features=FEATURES), record


def _clear(
    colour: Float32[np.ndarray, "rows columns 3"], form: Form, behind: UInt8[np.ndarray, "rows columns 3"], clear: float
) -> Float32[np.ndarray, "rows columns 3"]:
    """Let what is behind shine through, more in the middle than at the rim, under the sphere's highlights."""
    rim = (form.normals**2).sum(axis=-1)[..., None]
    through = clear * (1 - 0.7 * rim**2)
    mixed = colour + through * (seen_through(form, behind, bend=BEND) - colour)
    return mixed + 0.8 * through * np.maximum(colour - GLINT, 0)


def _behind(part: Placed, subject: Placed, scene: Scene) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return what is behind an object: the scene without it, or a photograph's surround spread inwards."""
    if is_photographed(scene):
        return surround(scene.background, subject.alpha[..., 0])[part.box]
    return render(scene.background, [one for one in scene.objects if one is not subject])[part.box]
