"""Style transfer: a whole photograph redrawn as a pencil sketch, a watercolour, pixel art ... (report, section 3.1).

The report paints with a diffusion model guided by edges. Here algorithms draw the styles that have one, and the expert
``stylise`` paints the others; without it only the drawn ones are made.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.record import asked, boxes_of, done_here
from step1x_edit.data_engine.resurfacing import is_photographed
from step1x_edit.data_engine.scene import Scene, render
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.styles import Style, styles
from step1x_edit.data_engine.styling import DRAWN
from step1x_edit.data_engine.wish import Wish
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.experts.extras import optional_package
from step1x_edit.measures.colour import from_oklab, to_oklab
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import StageRecord

__all__ = ["restyle"]

TASK = EditTask.STYLE_TRANSFER
SUBJECT, COMPOSED = 0.35, 0.1
"""How often the picture is a photograph with a subject, or a composed scene; else it is any photograph."""
PAINTED_SIDE = 512
"""Smallest side at which the expert paints: strokes of a smaller picture would be too large for it."""
DETAIL_SIDE = 64
LEAST_DETAIL = 0.02
"""Mean step in lightness over a 64th of the picture: less is a sky or a wall that shows no style."""
FEATURES, FEATURE_SIZE = 0.6, 0.012
"""How much of the photograph's own drawing a painting keeps, and how fine that is, as a fraction of the short side."""


def restyle(stage: Stage, rng: np.random.Generator) -> EditPair | Refusal:
    """Make one pair that redraws a whole picture."""
    scene = _scene(stage, rng)
    picture = scene.background if is_photographed(scene) else render(scene.background, scene.objects)
    detail = _detail(picture)
    if detail < LEAST_DETAIL:
        return Refusal(
            stage="choose", reason="The picture is too plain for a style.", value=detail, threshold=LEAST_DETAIL,
            sources=scene.sources,
        )  # fmt: skip
    experts = stage.experts if stage.experts and stage.experts.available("stylise") else None
    able = [one for one in styles().values() if experts or not one.painted]
    style = able[int(rng.integers(len(able)))]
    target, record = _redrawn(picture, style, experts, rng)
    return EditPair(
        reference=picture,
        target=target,
        changed=np.ones(picture.shape[:2], dtype=bool),
        wish=Wish(key=TASK.value, style=style),
        task=TASK,
        detail=style.name,
        boxes=boxes_of(scene.objects, stage.size),
        sources=scene.sources,
        stages=(record,),
    )


def _scene(stage: Stage, rng: np.random.Generator) -> Scene:
    kind = rng.random()
    if kind < SUBJECT:
        return stage.photographed_subject(rng) or stage.photograph(rng)
    composed = kind < SUBJECT + COMPOSED and stage.can_compose
    return stage.scene(rng, count=1) if composed else stage.photograph(rng)


def _detail(picture: UInt8[np.ndarray, "height width 3"]) -> float:
    """Return how much there is to see: the mean step in lightness over a 64th of the picture."""
    small = np.asarray(Image.fromarray(picture).resize((DETAIL_SIDE, DETAIL_SIDE), Image.Resampling.BOX))
    lightness = to_oklab(small)[..., 0]
    return float(np.abs(np.diff(lightness, axis=0)).mean() + np.abs(np.diff(lightness, axis=1)).mean()) / 2


def _redrawn(
    picture: UInt8[np.ndarray, "height width 3"], style: Style, experts: ExpertSet | None, rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "height width 3"], StageRecord]:
    if experts is None or not style.painted:
        return DRAWN[style.name](picture, rng), done_here("draw", "styling")
    height, width = picture.shape[:2]
    gain = max(1.0, PAINTED_SIDE / min(height, width))
    large = Image.fromarray(picture).resize((round(width * gain), round(height * gain)), Image.Resampling.BICUBIC)
    painted = Image.fromarray(experts.stylise(np.asarray(large), style.painted))
    painted = np.asarray(painted.resize((width, height), Image.Resampling.LANCZOS))
    return _with_features(painted, picture), asked(experts, "stylise", f"style={style.painted}")


def _with_features(
    painted: UInt8[np.ndarray, "height width 3"], picture: UInt8[np.ndarray, "height width 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the photograph's features lightly into a painting, so that faces and letters stay what they are."""
    cv2 = optional_package("cv2")
    lightness = to_oklab(picture)[..., 0].copy()
    lab = to_oklab(painted)
    lab[..., 0] += FEATURES * (lightness - cv2.GaussianBlur(lightness, (0, 0), FEATURE_SIZE * min(picture.shape[:2])))
    return from_oklab(lab)
