"""The work that every attempt has and no recipe: read, hash, filter, encode; in the engine and as a plain loop."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from step1x_edit.data_engine.filters.chain import chain, judge
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.pool import Picture, Pool
from step1x_edit.data_engine.run import RunSettings
from step1x_edit.data_engine.run.rejections import short_hash
from step1x_edit.data_engine.wish import Wish
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.measures.hashing import perceptual_hash, pixel_sha256
from step1x_edit.measures.masks import encode_mask
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import EditTriplet, ImageFacts, Provenance
from step1x_edit.store import EncodedTriplet, encode_triplet

__all__ = ["FIXED", "FixedWork", "photographs", "plain_loop"]

FIXED = EditTask.TONE_TRANSFORMATION
"""The fixed work is filtered as this task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedWork:
    """Gives workers the work that every attempt has and no recipe: read, hash, filter, encode."""

    settings: RunSettings
    files: tuple[bytes, ...]

    def __call__(self) -> Callable[[int], EncodedTriplet]:
        return partial(fixed_work, self)


def fixed_work(work: FixedWork, attempt: int) -> EncodedTriplet:
    """Decode and orient a photograph, darken it, and do with the pair what the engine does with every pair."""
    pixels = np.asarray(Image.open(io.BytesIO(work.files[attempt % len(work.files)])).convert("RGB"))
    darker = np.float32(0.5 + attempt // len(work.files) / 200)
    target = np.clip(pixels * darker, 0, 255).astype(np.uint8)
    pair = EditPair(
        reference=pixels,
        target=target,
        changed=np.ones(pixels.shape[:2], dtype=bool),
        wish=Wish(key="tone_transfer-darker"),
        task=FIXED,
    )
    judged = judge(pair, EmbeddedExperts(Path("/nowhere")), filters=chain(FIXED, smallest_px=work.settings.size))
    source, after = (_facts(one) for one in (pixels, target))
    record = EditTriplet(
        uid=short_hash(source.sha256, after.sha256),
        task=FIXED,
        source=source,
        target=after,
        instruction_en="Darker.",
        instruction_cn="更暗。",
        mask=encode_mask(pair.changed),
        provenance=Provenance(
            sources=(), licences=(), permissive=True, recipe="fixed", pipeline_version="0", seed=0, attempt=attempt
        ),
        scores=judged.scores,
        decisions=judged.decisions,
    )
    return encode_triplet(record, reference=pixels, target=target)


def plain_loop(work: FixedWork, count: int, folder: Path) -> None:
    """Do it as a script would: one after the other, a file for each picture."""
    for attempt in range(count):
        one = fixed_work(work, attempt)
        (folder / f"{attempt}-reference.webp").write_bytes(one.reference)
        (folder / f"{attempt}-target.webp").write_bytes(one.target)
        (folder / f"{attempt}.json").write_text(one.record.model_dump_json())


def photographs(pool: Pool, size: int) -> Iterator[bytes]:
    """Yield photographs of a pool as JPEG files of one size."""
    for picture in pool.photos("train")[:40]:
        yield _jpeg(pool, picture, size)


def _jpeg(pool: Pool, picture: Picture, size: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pool.image(picture)[..., :3])).resize((size, size)).save(
        file, "JPEG", quality=95
    )
    return file.getvalue()


def _facts(picture: np.ndarray) -> ImageFacts:
    height, width = picture.shape[:2]
    return ImageFacts(width=width, height=height, sha256=pixel_sha256(picture), phash=perceptual_hash(picture))
