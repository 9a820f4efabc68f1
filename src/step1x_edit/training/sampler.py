"""The order of a run: which examples make which batch, the same for any number of processes, and after every resume.

Everything is a function of seed, step and the table of examples, so the state of a sampler is one number. An epoch brings every
pair as often as its source's weight says; what does not fill a batch waits for the next epoch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from step1x_edit.errors import DataError, RequestError

__all__ = ["BatchSampler", "DrawnBatch", "ExampleTable"]

_ORDER, _DROPOUT, _BATCHES = 0, 1, 2
"""Streams of chance, kept apart by these numbers."""
Numbers = Int[np.ndarray, " examples"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleTable:
    """What the order needs to know of each example."""

    rows: Numbers
    """Rows of the token grid."""
    columns: Numbers
    with_reference: Bool[np.ndarray, " examples"]
    source: Numbers
    """Number of the source."""
    keys: bytes
    """What the examples are, for telling other data apart at a resume."""

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBatch:
    """Examples of one grid, all with a reference image or all without: this process's rows of a global batch."""

    examples: tuple[int, ...]
    """Numbers in the table."""
    dropped: tuple[bool, ...]
    """Which of them get the unconditional form instead of their instruction."""
    drawn: tuple[int, ...]
    """How many examples of the whole run came before each: a seed for its own noise and time."""


class BatchSampler(Iterator[DrawnBatch]):
    """Deal batches without end.

    Args:
        table: The examples.
        batch: Examples of a global batch, over all processes.
        seed: Of the order and the dropout.
        weights: Weight of each source, by number: how often each of its pairs comes in an epoch.
        text_to_image_share: Share of the batches that are without reference image.
        instruction_dropout: Share of the examples that get the unconditional form.
        rank: Number of this process.
        processes: How many there are; each gets its part of every global batch.

    Raises:
        DataError: There is nothing to deal, or the share asks for examples that are not there.
        RequestError: The batch does not divide among the processes.
    """

    def __init__(
        self,
        table: ExampleTable,
        *,
        batch: int,
        seed: int,
        weights: Sequence[float] = (1.0,),
        text_to_image_share: float = 0.0,
        instruction_dropout: float = 0.0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        if batch % processes:
            raise RequestError(
                given=f"a batch of {batch} for {processes} processes",
                expected="a multiple of their number",
                remedy="Change the batch or the number of processes.",
            )
        self.step = 0
        self._batch, self._seed, self._dropout = batch, seed, instruction_dropout
        self._share = text_to_image_share
        self._rows = slice(rank * batch // processes, (rank + 1) * batch // processes)
        edits, pictures = np.flatnonzero(table.with_reference), np.flatnonzero(~table.with_reference)
        _require_both(len(edits), len(pictures), text_to_image_share)
        self._decks = {
            with_reference: _Deck(table, numbers, weights, batch=batch, seed=seed)
            for with_reference, numbers in ((True, edits), (False, pictures))
            if len(numbers)
        }
        settings = f"{batch} {seed} {tuple(weights)} {text_to_image_share} {instruction_dropout}"
        self._fingerprint = hashlib.blake2b(table.keys + settings.encode(), digest_size=16).hexdigest()

    def __next__(self) -> DrawnBatch:
        """Return this process's rows of the next global batch."""
        step = self.step
        self.step += 1
        # Evenly spread, so that no stretch of a run is without either kind.
        pictures_before, pictures = math.floor(step * self._share), math.floor((step + 1) * self._share)
        if pictures > pictures_before:
            examples = self._decks[False].global_batch(pictures_before)
        else:
            examples = self._decks[True].global_batch(step - pictures_before)
        drawn = np.arange(step * self._batch, (step + 1) * self._batch)[self._rows]
        dropped = np.random.default_rng([self._seed, _DROPOUT, step]).random(self._batch) < self._dropout
        return DrawnBatch(
            examples=tuple(examples[self._rows].tolist()),
            dropped=tuple(dropped[self._rows].tolist()),
            drawn=tuple(drawn.tolist()),
        )

    @property
    def epoch(self) -> int:
        """How many whole epochs have been dealt, of the kind that has gone furthest."""
        pictures = math.floor(self.step * self._share)
        dealt = {True: self.step - pictures, False: pictures}
        return max(deck.epoch_of(dealt[kind]) for kind, deck in self._decks.items())

    def epoch_steps(self, epochs: int) -> int:
        """Return the number of steps after which so many epochs of every kind in use have been dealt."""
        shares = {True: 1 - self._share, False: self._share}
        return max(math.ceil(deck.batches(epochs) / shares[kind]) for kind, deck in self._decks.items() if shares[kind])

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resume needs; the same in every process."""
        return {"step": self.step, "fingerprint": self._fingerprint}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another sampler of the same examples and settings was, with any number of processes.

        Raises:
            DataError: The examples or the settings are others.
        """
        if state["fingerprint"] != self._fingerprint:
            raise DataError(
                given="a checkpoint of other pairs, or of another batch, seed, weight or share",
                expected="the data and settings the run began with",
                remedy="Restore them, or start a new run from the checkpoint's weights.",
            )
        self.step = int(state["step"])


class _Deck:
    """Batches of one kind in an endless row, epoch after epoch."""

    def __init__(
        self, table: ExampleTable, numbers: Numbers, weights: Sequence[float], *, batch: int, seed: int
    ) -> None:
        self._batch, self._seed = batch, seed
        grids = np.stack([table.rows[numbers], table.columns[numbers]], axis=1)
        _, bucket = np.unique(grids, axis=0, return_inverse=True)
        members = [numbers[bucket.ravel() == one] for one in range(bucket.max() + 1)]
        self._buckets = [
            _Bucket(chosen, table.source[chosen], weights, seed=(seed, one)) for one, chosen in enumerate(members)
        ]
        self._whole_epoch = lru_cache(maxsize=2)(self._drawn_epoch)

    def batches(self, epochs: int) -> int:
        """Return how many batches the first epochs hold; no fewer than one an epoch."""
        return sum(one.dealt(epochs) // self._batch for one in self._buckets)

    def epoch_of(self, number: int) -> int:
        """Return in which epoch a batch lies: the last whose predecessors hold no more batches than that."""
        low, high = 0, 1
        while self.batches(high) <= number:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.batches(middle) <= number else (low, middle)
        return low

    def global_batch(self, number: int) -> Numbers:
        epoch = self.epoch_of(number)
        return self._whole_epoch(epoch)[number - self.batches(epoch)]

    def _drawn_epoch(self, epoch: int) -> Int[np.ndarray, "batches batch"]:
        whole = []
        for bucket in self._buckets:
            first, last = (bucket.dealt(one) // self._batch * self._batch for one in (epoch, epoch + 1))
            whole.append(bucket.stretch(first, last).reshape(-1, self._batch))
        batches = np.concatenate(whole)
        return np.random.default_rng([self._seed, _BATCHES, epoch]).permutation(batches)


class _Bucket:
    """Examples of one grid in an endless row; each source's are shuffled anew for every pass over them."""

    def __init__(self, numbers: Numbers, source: Numbers, weights: Sequence[float], *, seed: tuple[int, int]) -> None:
        self._seed = seed
        self._sources = {int(one): numbers[source == one] for one in np.unique(source)}
        self._weights = {one: weights[one] for one in self._sources}

    def dealt(self, epochs: int) -> int:
        """Return how many examples the first epochs hold."""
        return sum(self._dealt(one, epochs) for one in self._sources)

    def stretch(self, first: int, last: int) -> Numbers:
        """Return the examples from one place of the row to another."""
        epoch = 0
        while self.dealt(epoch + 1) <= first and first < last:
            epoch += 1
        begin, parts = self.dealt(epoch), []
        while self.dealt(epoch) < last:
            parts.append(self._epoch(epoch))
            epoch += 1
        return np.concatenate(parts)[first - begin : last - begin] if parts else np.empty(0, dtype=np.int64)

    def _dealt(self, source: int, epochs: int) -> int:
        return math.floor(epochs * self._weights[source] * len(self._sources[source]))

    def _epoch(self, epoch: int) -> Numbers:
        drawn = [self._passes(one, self._dealt(one, epoch), self._dealt(one, epoch + 1)) for one in self._sources]
        return np.random.default_rng([*self._seed, _ORDER, epoch]).permutation(np.concatenate(drawn))

    def _passes(self, source: int, first: int, last: int) -> Numbers:
        numbers = self._sources[source]
        passes = range(first // len(numbers), -(-last // len(numbers)))
        shuffled = [np.random.default_rng([*self._seed, _ORDER, source, one]).permutation(numbers) for one in passes]
        begin = passes.start * len(numbers)
        return np.concatenate([*shuffled, numbers[:0]])[first - begin : last - begin]


def _require_both(edits: int, pictures: int, share: float) -> None:
    if share < 1 and not edits:
        raise DataError(
            given=f"{pictures} pairs without a reference image and a text-to-image share of {share:g}",
            expected="pairs with a reference image, or a share of 1",
            remedy="Add editing pairs, or set `text_to_image_share = 1`.",
        )
    if share > 0 and not pictures:
        raise DataError(
            given=f"{edits} pairs, all with a reference image, and a text-to-image share of {share:g}",
            expected="pairs without one, or a share of 0",
            remedy="Add text-to-image pairs, or set `text_to_image_share = 0`.",
        )
    if not share and pictures:
        raise DataError(
            given=f"{pictures} pairs without a reference image and a text-to-image share of 0",
            expected="a share above 0, so that they are used",
            remedy="Set `text_to_image_share`, or take them out.",
        )
