"""Cases drawn here: a red square before a smooth green wall."""

from __future__ import annotations

import numpy as np

from step1x_edit.measures.hashing import perceptual_hash, pixel_sha256
from step1x_edit.measures.masks import encode_mask
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import EditTriplet, ImageFacts, Observations, Provenance
from step1x_edit.store import StoredTriplet

SIDE = 48


def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A red square before a smooth green wall, and where it is."""
    rng = np.random.default_rng(seed)
    picture = np.full((SIDE, SIDE, 3), (60, 140, 70), dtype=np.float64)
    picture += np.linspace(-10, 10, SIDE)[:, None, None] + rng.normal(0, 2, (SIDE, SIDE, 1))
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[14:34, 12:36] = True
    picture[mask] = (200, 50, 40)
    return np.clip(picture, 0, 255).astype(np.uint8), mask


def facts(picture: np.ndarray) -> ImageFacts:
    return ImageFacts(width=SIDE, height=SIDE, sha256=pixel_sha256(picture), phash=perceptual_hash(picture))


def case(number: int, task: EditTask, target: np.ndarray, mask: np.ndarray, en: str, zh: str) -> StoredTriplet:
    reference, _ = scene(number)
    record = EditTriplet(
        uid=f"{number:032x}",
        task=task,
        source=facts(reference),
        target=facts(target),
        instruction_en=en,
        instruction_cn=zh,
        mask=encode_mask(mask),
        aux=Observations(subject="box"),
        provenance=Provenance(
            sources=("0" * 16,),
            licences=("CC0-1.0",),
            permissive=True,
            recipe=task.value,
            pipeline_version="0",
            seed=0,
            attempt=number,
        ),
        split="held_out",
    )
    return StoredTriplet(record=record, reference=reference, target=target, mask=mask)


def drawn_cases() -> list[StoredTriplet]:
    cases = []
    for number in range(2):
        reference, mask = scene(number)
        grey = np.repeat((reference @ [0.299, 0.587, 0.114]).astype(np.uint8)[..., None], 3, axis=-1)
        everywhere = np.ones_like(mask)
        cases.append(
            case(number, EditTask.TONE_TRANSFORMATION, grey, everywhere, "make it black and white", "变成黑白照片")
        )
        blue = np.where(mask[..., None], reference, np.array((45, 90, 200), dtype=np.uint8))
        cases.append(
            case(
                number + 10, EditTask.BACKGROUND_CHANGE, blue, ~mask, "change the background to blue", "把背景换成蓝色"
            )
        )
    return cases
