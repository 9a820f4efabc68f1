"""Good pairs of each task on a picture like a photograph, and what goes wrong with pairs in practice."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from step1x_edit.data_engine.instructions import colours
from step1x_edit.data_engine.objects import object_classes
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.tones import apply_tone
from step1x_edit.data_engine.wish import Wish
from step1x_edit.measures.colour import from_oklab, to_oklab
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Box

SIDE = 256


def photograph(seed: int, side: int = SIDE) -> np.ndarray:
    """Structure of all sizes in muted colours, as sharp as a lens makes it."""
    rng = np.random.default_rng(seed)
    down, across = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    radius = np.hypot(down, across)
    strength = np.where(radius > 0, 1 / np.maximum(radius, 1 / side) ** 1.1, 0) * np.exp(-((radius / 0.35) ** 2))
    layers = []
    for weight in (45, 12, 12):
        waves = np.fft.irfft2(strength * np.exp(2j * np.pi * rng.random(radius.shape)), (side, side))
        layers.append(weight * waves / waves.std())
    light, reds, blues = layers
    levels = np.stack([120 + light + reds, 118 + light, 110 + light + blues], axis=-1)
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def disc(radius: float = 0.25, side: int = SIDE) -> np.ndarray:
    rows, columns = np.mgrid[0:side, 0:side] / side
    return np.hypot(rows - 0.55, columns - 0.5) < radius


def coloured(picture: np.ndarray, mask: np.ndarray, hue_degrees: float) -> np.ndarray:
    """Give what a mask shows a hue; its lightness stays."""
    lab, angle = to_oklab(picture), np.radians(hue_degrees)
    lab[mask, 1:] = 0.14 * np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
    return np.where(mask[..., None], from_oklab(lab), picture)


def good_pair(task: EditTask) -> EditPair:
    """A pair that every filter of its task should let through."""
    picture, mask = photograph(1), disc()
    ball, car = object_classes()["ball"], object_classes()["car"]
    with_ball = np.where(mask[..., None], coloured(photograph(2), mask, 30), picture)
    whole = np.ones_like(mask)
    box = Box(label="ball", left=0.25, top=0.3, right=0.75, bottom=0.8)
    made: dict[EditTask, tuple[np.ndarray, np.ndarray, np.ndarray, Wish, str]] = {
        EditTask.SUBJECT_ADDITION: (picture, with_ball, mask, Wish(key=task.value, subject=ball), ""),
        EditTask.SUBJECT_REMOVAL: (with_ball, picture, mask, Wish(key=task.value, subject=ball), ""),
        EditTask.SUBJECT_REPLACEMENT: (
            with_ball, coloured(with_ball, mask, 250)[:, ::-1].copy() * mask[..., None] + with_ball * ~mask[..., None],
            mask, Wish(key=task.value, subject=ball, other=car), "car",
        ),
        EditTask.BACKGROUND_CHANGE: (
            with_ball, np.where(mask[..., None], with_ball, np.array(colours()["blue"].rgb, dtype=np.uint8)),
            ~mask, Wish(key=task.value, colour=colours()["blue"]), "blue",
        ),
        EditTask.COLOUR_ALTERATION: (
            with_ball, coloured(with_ball, mask, 264), mask,
            Wish(key=task.value, subject=ball, colour=colours()["blue"]), "blue",
        ),
        EditTask.MATERIAL_MODIFICATION: (
            with_ball, coloured(with_ball, mask, 85), mask, Wish(key=task.value, subject=ball), "gold",
        ),
        EditTask.STYLE_TRANSFER: (
            picture, np.asarray(Image.fromarray(picture).quantize(6).convert("RGB")), whole, Wish(key=task.value), "poster",
        ),
        EditTask.TONE_TRANSFORMATION: (
            picture, apply_tone("night", picture), whole, Wish(key=f"{task.value}-night"), "night",
        ),
    }  # fmt: skip
    reference, target, changed, wish, detail = made[task]
    boxes = (box, box.model_copy(update={"label": "car", "left": 0.3}))
    return EditPair(
        reference=reference, target=target, changed=changed, wish=wish, task=task, detail=detail, boxes=boxes
    )


def with_target(pair: EditPair, target: np.ndarray) -> EditPair:
    return replace(pair, target=np.ascontiguousarray(target))


def shifted(pair: EditPair) -> EditPair:
    return with_target(pair, np.roll(pair.target, 1, axis=1))


def blurred(pair: EditPair) -> EditPair:
    return with_target(pair, np.asarray(Image.fromarray(pair.target).filter(ImageFilter.GaussianBlur(1.2))))


def reencoded(pair: EditPair) -> EditPair:
    encoded = io.BytesIO()
    Image.fromarray(pair.target).save(encoded, "JPEG", quality=60)
    return with_target(pair, np.asarray(Image.open(encoded)))


def unchanged(pair: EditPair) -> EditPair:
    return with_target(pair, pair.reference)


def wrongly_coloured(pair: EditPair) -> EditPair:
    """Exchange the channels where the edit is: red for blue, blue for green."""
    target = pair.target.copy()
    target[pair.changed] = target[pair.changed][:, [1, 2, 0]]
    return with_target(pair, target)
