"""The stream: an endless, repeatable row of edit pairs, made while they are used."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from step1x_edit.data_engine.instructions.wording import word
from step1x_edit.data_engine.mixture import draw, mixture
from step1x_edit.data_engine.pair import Refusal, WordedPair, mirrored, worded
from step1x_edit.data_engine.pool import Pool, Split
from step1x_edit.data_engine.recipes import RECIPES
from step1x_edit.data_engine.stages.lesson import LessonStage
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.errors import DataError
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.schema.tasks import EditTask

__all__ = ["PairStream"]

_BRINGS_IN = frozenset({EditTask.SUBJECT_ADDITION, EditTask.SUBJECT_REPLACEMENT})

PICTURES_TRIED, TASKS_TRIED = 24, 24
"""Choices of pictures until a recipe makes a pair of one, and tasks until one has a pair."""


class PairStream:
    """Edit pairs by number: ``stream[index]`` is the same pair every time, on every machine.

    Args:
        pool: Where pictures come from.
        seed: Another seed, another row of pairs.
        size: Side of the square pictures, in pixels.
        split: Part of the pool; held-out pictures are never part of training.
        experts: Models that recipes may ask, for pairs that look like photographs; without them scenes are composed plainly.
        first: Number of the first pair when iterating.
        step: Distance between pairs when iterating; worker ``i`` of ``n`` takes ``first=i, step=n``.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        seed: int,
        size: int,
        split: Split = "train",
        experts: ExpertSet | None = None,
        first: int = 0,
        step: int = 1,
    ) -> None:
        if experts is None:
            self._stage = self._composing = Stage(pool, size=size, split=split)
        else:
            self._stage = LessonStage(pool, size=size, split=split, experts=experts)
            self._composing = LessonStage(pool, size=size, split=split)
        self._seed = seed
        self._first = first
        self._step = step

    def __getitem__(self, index: int) -> WordedPair:
        """Make pair ``index`` of the mixture."""
        rng = np.random.default_rng([self._seed, index])
        for _ in range(TASKS_TRIED):
            pair = self._make(draw(mixture().tasks, rng), rng)
            if pair is not None:
                return pair
        raise _barren("any task")

    def __iter__(self) -> Iterator[WordedPair]:
        """Yield pairs without end."""
        index = self._first
        while True:
            yield self[index]
            index += self._step

    def of_task(self, task: EditTask, index: int) -> WordedPair:
        """Make a pair of one task.

        Raises:
            KeyError: The task has no recipe yet.
            DataError: Its recipe refuses whatever the pool holds.
        """
        pair = self._make(task, np.random.default_rng([self._seed, index]))
        if pair is None:
            raise _barren(task.value)
        return pair

    def _make(self, task: EditTask, rng: np.random.Generator) -> WordedPair | None:
        language = "zh" if rng.random() < mixture().chinese else "en"
        # What an addition brings in is composed: the subject of a photograph, put back, looks like no other of its class.
        stage = self._composing if task is EditTask.SUBJECT_ADDITION else self._stage
        pair = RECIPES[task](stage, rng)
        for _ in range(PICTURES_TRIED):
            if not isinstance(pair, Refusal):
                break
            pair = RECIPES[task](stage, rng)
        else:
            return None
        # Half of all pairs are flipped, words and all: photographs then have no preferred side. An object that an edit
        # brings in keeps the way it faces.
        if task not in _BRINGS_IN and rng.random() < 0.5:
            pair = mirrored(pair)
        return worded(pair, instruction=word(pair.wish, language=language, rng=rng), language=language)


def _barren(what: str) -> DataError:
    return DataError(
        given=f"a pool of which no pair of {what} can be made",
        expected="pictures that serve the task",
        remedy="Build the pool with `step1x data sources`.",
    )
