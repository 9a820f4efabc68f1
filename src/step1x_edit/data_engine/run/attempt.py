"""One attempt: recipe → filters → words → triplet, or a rejection with its reason. Nothing an attempt does ends a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8

from step1x_edit import __version__
from step1x_edit.data_engine.filters.filter import Judged
from step1x_edit.data_engine.instructions.checks import sides_agree
from step1x_edit.data_engine.instructions.wording import Instructions, instructions
from step1x_edit.data_engine.materials import Matcaps
from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.pool import Picture, Pool
from step1x_edit.data_engine.recipes import RECIPES
from step1x_edit.data_engine.run.rejections import attempt_uid, lost, short_hash
from step1x_edit.data_engine.run.settings import RunSettings
from step1x_edit.data_engine.stages.lesson import LessonStage
from step1x_edit.data_engine.stages.photographic import PhotographicStage
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.errors import DataError, MissingExtra
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.hashing import perceptual_hash, pixel_sha256
from step1x_edit.measures.masks import encode_mask
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import EditTriplet, ImageFacts, Observations, Provenance, Rejection, StageRecord
from step1x_edit.store import EncodedTriplet, encode_triplet

__all__ = ["AttemptMaker", "Judge"]

Judge = Callable[[EditPair, ExpertSet], Judged]
Text = TypeVar("Text", bound=str)
_MISDIRECTED = Refusal(stage="wording", reason="An instruction speaks of a side that is not the wish's.")


class AttemptMaker:
    """Makes attempts by number; the same number gives the same outcome on every machine.

    Args:
        pool: Where pictures come from.
        settings: Of the run.
        experts: Models that recipes and filters may ask.
        judge: The filters.
        matcaps: Spheres of materials; the part in the user's cache when not given.

    Raises:
        DataError: The pool has too little for a stage.
    """

    def __init__(
        self, pool: Pool, settings: RunSettings, *, experts: ExpertSet, judge: Judge, matcaps: Matcaps | None = None
    ) -> None:
        self._settings = settings
        self._experts = experts
        self._judge = judge
        self._pictures = {one.id: one for one in pool.pictures}
        set_up = _stage_of(settings)
        self._stage = set_up(pool, size=settings.size, split=settings.split, experts=experts, matcaps=matcaps)
        # The subject of a photograph, put back, is no object that training sees: there all additions are composed.
        asking = None if settings.seen_objects else experts
        self._adding = set_up(pool, size=settings.size, split=settings.split, experts=asking, matcaps=matcaps)

    def __call__(self, attempt: int) -> EncodedTriplet | Rejection:
        """Make one attempt.

        Raises:
            MissingExtra: A part that the recipe cannot do without is absent, so that no other attempt would do better.
        """
        try:
            return self._made(attempt)
        except MissingExtra:
            raise
        except MemoryError:
            return lost(self._settings, attempt, stage="memory", reason="It needed more memory than allowed.")
        except DataError as short:
            return lost(self._settings, attempt, stage="sources", reason=str(short))
        # The one place where any error is caught: one bad picture must not end the run of all others.
        except Exception as error:
            words = " ".join(str(error).split())
            return lost(self._settings, attempt, stage="error", reason=f"{type(error).__name__}: {words}")

    def pair(self, attempt: int) -> EditPair | Refusal:
        """Return what the recipe of an attempt gives, before any filter looks at it."""
        task = self._settings.task(attempt)
        stage = self._adding if task is EditTask.SUBJECT_ADDITION else self._stage
        return RECIPES[task](stage, self._settings.pictures_of(attempt))

    def _made(self, attempt: int) -> EncodedTriplet | Rejection:
        pair = self.pair(attempt)
        if isinstance(pair, Refusal):
            return self._refused(pair, attempt)
        judged = self._judge(pair, self._experts)
        if judged.failure is not None:
            return self._failed(pair, judged, attempt)
        words = instructions(pair.wish, self._settings.words_of(attempt))
        if not all(sides_agree(one.text, pair.wish, one.language) for one in words.variants):
            return self._refused(_MISDIRECTED, attempt)
        record = self._record(pair, judged, words, attempt)
        return encode_triplet(record, reference=pair.reference, target=pair.target)

    def _refused(self, refusal: Refusal, attempt: int) -> Rejection:
        return Rejection(
            uid=attempt_uid(self._settings, attempt),
            task=self._settings.task(attempt),
            stage=refusal.stage,
            reason=refusal.reason,
            value=refusal.value,
            threshold=refusal.threshold,
            provenance=self._provenance(refusal.sources, (), attempt),
        )

    def _failed(self, pair: EditPair, judged: Judged, attempt: int) -> Rejection:
        failure = judged.failure
        assert failure is not None
        return Rejection(
            uid=attempt_uid(self._settings, attempt),
            task=pair.task,
            stage=failure.filter,
            reason=failure.reason,
            value=failure.value,
            threshold=failure.threshold,
            provenance=self._provenance(pair.sources, pair.stages, attempt),
            decisions=judged.decisions,
        )

    def _record(self, pair: EditPair, judged: Judged, words: Instructions, attempt: int) -> EditTriplet:
        source, target = _facts(pair.reference), _facts(pair.target)
        return EditTriplet(
            uid=short_hash(source.sha256, target.sha256, words.en),
            task=pair.task,
            subtask=pair.wish.key,
            source=source,
            target=target,
            instruction_en=words.en,
            instruction_cn=words.cn,
            instruction_variants=words.variants,
            mask=encode_mask(pair.changed),
            boxes=pair.boxes,
            aux=Observations(
                subject=pair.wish.subject.name if pair.wish.subject else "",
                detail=pair.detail,
                place=pair.wish.place.name if pair.wish.place else "",
            ),
            provenance=self._provenance(pair.sources, pair.stages, attempt),
            scores=judged.scores,
            decisions=judged.decisions,
            split=self._settings.split,
        )

    def _provenance(self, sources: tuple[str, ...], stages: tuple[StageRecord, ...], attempt: int) -> Provenance:
        pictures: list[Picture] = [self._pictures[one] for one in _each_once(sources)]
        return Provenance(
            sources=tuple(one.id for one in pictures),
            licences=_each_once(one.licence for one in pictures),
            authors=_each_once(one.author for one in pictures if one.author),
            permissive=all(one.permissive for one in pictures),
            recipe=self._settings.task(attempt).value,
            pipeline_version=__version__,
            seed=self._settings.seed,
            attempt=attempt,
            stages=stages,
        )


def _stage_of(settings: RunSettings) -> type[Stage]:
    if not settings.photographic:
        return Stage
    return LessonStage if settings.seen_objects else PhotographicStage


def _each_once(texts: Iterable[Text]) -> tuple[Text, ...]:
    return tuple(dict.fromkeys(texts))


def _facts(picture: UInt8[np.ndarray, "height width 3"]) -> ImageFacts:
    height, width = picture.shape[:2]
    return ImageFacts(width=width, height=height, sha256=pixel_sha256(picture), phash=perceptual_hash(picture))
