"""Triplets and rejections drawn here, without any recipe."""

from __future__ import annotations

import numpy as np

from step1x_edit.measures.hashing import perceptual_hash, pixel_sha256
from step1x_edit.measures.masks import encode_mask
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import (
    Box,
    Decision,
    EditTriplet,
    ImageFacts,
    InstructionVariant,
    Provenance,
    Rejection,
    Scores,
    StageRecord,
)
from step1x_edit.store import EncodedTriplet, Shard, StoredTriplet, encode_triplet

SIZE = 24


def facts_of(picture: np.ndarray) -> ImageFacts:
    return ImageFacts(
        width=picture.shape[1],
        height=picture.shape[0],
        sha256=pixel_sha256(picture),
        phash=perceptual_hash(picture),
    )


def provenance(attempt: int, *, seconds: float = 0.5) -> Provenance:
    return Provenance(
        sources=("0123456789abcdef",),
        licences=("CC0-1.0",),
        permissive=True,
        recipe="subject-add",
        pipeline_version="0",
        seed=0,
        attempt=attempt,
        stages=(StageRecord(stage="compose", part="scene", version="0", seconds=seconds),),
    )


def triplet(attempt: int, *, seconds: float = 0.5) -> StoredTriplet:
    """Noise with a bright square, in every field something that is not its default where it can be."""
    rng = np.random.default_rng(attempt)
    reference = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[4:12, 5:17] = True
    target = np.where(mask[..., None], np.uint8(250), reference)
    record = EditTriplet(
        uid=f"{attempt:032x}",
        task=EditTask.SUBJECT_ADDITION,
        source=facts_of(reference),
        target=facts_of(target),
        instruction_en="Add a bright square.",
        instruction_cn="加一个亮方块。",
        instruction_variants=(InstructionVariant(language="en", voice="user", text="bright square pls"),),
        mask=encode_mask(mask),
        boxes=(Box(label="square", left=0.1, top=0.2, right=0.3, bottom=0.4),),
        provenance=provenance(attempt, seconds=seconds),
        scores=Scores(changed_area=1 / 3),
        decisions=(Decision(filter="size", passed=True, value=24.0), Decision(filter="found", passed=None)),
        flags=("face",),
    )
    return StoredTriplet(record=record, reference=reference, target=target, mask=mask)


def encoded(attempt: int, *, seconds: float = 0.5) -> EncodedTriplet:
    one = triplet(attempt, seconds=seconds)
    return encode_triplet(one.record, reference=one.reference, target=one.target)


def rejection(attempt: int, *, retry: bool = False, seconds: float = 0.5) -> Rejection:
    return Rejection(
        uid=f"{attempt:032x}",
        task=EditTask.SUBJECT_REMOVAL,
        stage="time" if retry else "matte",
        reason="The subject touches the edge.",
        value=0.25,
        provenance=provenance(attempt, seconds=seconds),
        retry=retry,
    )


def shard_of(number: int, attempts: range, *, seconds: float = 0.5) -> Shard:
    """Every third attempt is a rejection."""
    return Shard(
        number=number,
        first_attempt=attempts.start,
        attempts=len(attempts),
        split="train",
        triplets=[encoded(one, seconds=seconds) for one in attempts if one % 3],
        rejections=[rejection(one, seconds=seconds) for one in attempts if one % 3 == 0],
    )
