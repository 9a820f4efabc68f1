"""Makers for worker processes that draw small triplets and, at chosen attempts, misbehave."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from step1x_edit.data_engine.run.rejections import lost
from step1x_edit.data_engine.run.settings import RunSettings, TaskShare
from step1x_edit.errors import MissingExtra
from step1x_edit.measures.hashing import perceptual_hash, pixel_sha256
from step1x_edit.measures.masks import encode_mask
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import EditTriplet, ImageFacts, Provenance, Rejection, StageRecord
from step1x_edit.store import EncodedTriplet, encode_triplet

SETTINGS = RunSettings(
    tasks=(TaskShare(task=EditTask.SUBJECT_ADDITION), TaskShare(task=EditTask.TONE_TRANSFORMATION)), size=64, seed=3
)


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """Hires makers: every fifth attempt is rejected, and attempts named here go wrong."""

    dies: frozenset[int] = frozenset()
    dies_once: frozenset[int] = frozenset()
    hangs: frozenset[int] = frozenset()
    hangs_once: frozenset[int] = frozenset()
    doubles: frozenset[int] = frozenset()
    """These give the pictures of attempt 1."""
    alike: frozenset[int] = frozenset()
    """These give the pictures of attempt 1 in another size: another triplet that looks the same."""
    lacks_a_part: frozenset[int] = frozenset()
    marks: Path | None = None
    """Folder where what happens only once is marked."""
    seconds: float = 0.0
    """Each attempt takes this long."""

    def __call__(self) -> Callable[[int], EncodedTriplet | Rejection]:
        return self.make

    def make(self, attempt: int) -> EncodedTriplet | Rejection:
        time.sleep(self.seconds)
        if attempt in self.dies or (attempt in self.dies_once and self._first_time(attempt)):
            os.kill(os.getpid(), signal.SIGKILL)
        if attempt in self.hangs or (attempt in self.hangs_once and self._first_time(attempt)):
            time.sleep(600)
        if attempt in self.lacks_a_part:
            raise MissingExtra(given="no style networks", expected="them", remedy="Run `step1x data setup`.")
        if attempt % 5 == 0:
            return lost(SETTINGS, attempt, stage="matte", reason="No subject.")
        like = 1 if attempt in self.doubles | self.alike else attempt
        return drawn(attempt, like=like, enlarged=2 if attempt in self.alike else 1)

    def _first_time(self, attempt: int) -> bool:
        assert self.marks is not None
        mark = self.marks / str(attempt)
        if mark.exists():
            return False
        mark.touch()
        return True


def drawn(attempt: int, *, like: int, enlarged: int = 1) -> EncodedTriplet:
    reference = np.random.default_rng(like).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    reference = reference.repeat(2 * enlarged, axis=0).repeat(2 * enlarged, axis=1)
    target = 255 - reference
    facts = [
        ImageFacts(width=one.shape[1], height=one.shape[0], sha256=pixel_sha256(one), phash=perceptual_hash(one))
        for one in (reference, target)
    ]
    record = EditTriplet(
        uid=f"{attempt if enlarged > 1 else like:032x}",
        # As if of one task and one wish, so that only looks tell them apart.
        task=EditTask.TONE_TRANSFORMATION if enlarged > 1 or like == 1 else SETTINGS.task(attempt),
        source=facts[0],
        target=facts[1],
        instruction_en="Invert it.",
        instruction_cn="反相。",
        mask=encode_mask(np.ones(reference.shape[:2], dtype=bool)),
        provenance=Provenance(
            sources=(),
            licences=("CC0-1.0",),
            permissive=True,
            recipe="drawn",
            pipeline_version="0",
            seed=SETTINGS.seed,
            attempt=attempt,
            stages=(StageRecord(stage="draw", part="numpy", version="2", seconds=time.perf_counter()),),
        ),
    )
    return encode_triplet(record, reference=reference, target=target)
