"""The order of batches depends on seed, step and examples alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step1x_edit.errors import DataError, RequestError
from step1x_edit.training.sampler import BatchSampler, DrawnBatch, ExampleTable


def table_of(*kinds: tuple[int, int, int, bool, int], keys: bytes = b"") -> ExampleTable:
    """(count, rows, columns, with reference, source)."""
    columns = list(zip(*[kind[1:] for kind in kinds for _ in range(kind[0])], strict=True))
    return ExampleTable(
        rows=np.array(columns[0]),
        columns=np.array(columns[1]),
        with_reference=np.array(columns[2], dtype=bool),
        source=np.array(columns[3]),
        keys=keys,
    )


MIXED = table_of((7, 4, 4, True, 0), (3, 4, 6, True, 0), (6, 4, 4, True, 1), (5, 4, 4, False, 0))


def drawn(sampler: BatchSampler, count: int) -> list[DrawnBatch]:
    return [next(sampler) for _ in range(count)]


def sampler(table: ExampleTable = MIXED, **options: Any) -> BatchSampler:
    return BatchSampler(
        table,
        **{
            "batch": 4,
            "seed": 1,
            "weights": (1.0, 1.0),
            "text_to_image_share": 0.25,
            "instruction_dropout": 0.3,
            **options,
        },
    )


def test_a_batch_has_one_grid_and_one_kind():
    for batch in drawn(sampler(), 60):
        numbers = list(batch.examples)
        assert len({(MIXED.rows[one], MIXED.columns[one], bool(MIXED.with_reference[one])) for one in numbers}) == 1


def test_the_same_seed_gives_the_same_order_and_another_seed_another():
    assert drawn(sampler(), 40) == drawn(sampler(), 40)
    assert drawn(sampler(), 40) != drawn(sampler(seed=2), 40)


@pytest.mark.parametrize("processes", [2, 4])
def test_any_number_of_processes_share_the_same_global_batches(processes):
    whole = drawn(sampler(), 30)
    parts = [drawn(sampler(rank=rank, processes=processes), 30) for rank in range(processes)]
    for step, batch in enumerate(whole):
        assert batch.examples == sum((part[step].examples for part in parts), ())
        assert batch.dropped == sum((part[step].dropped for part in parts), ())
        assert batch.drawn == sum((part[step].drawn for part in parts), ())


@pytest.mark.parametrize("at", [0, 1, 13, 57])
def test_a_resume_goes_on_exactly_even_with_other_processes(at):
    first = sampler()
    drawn(first, at)
    second = sampler(rank=1, processes=2)
    second.load_state_dict(first.state_dict())
    for whole, part in zip(drawn(first, 20), drawn(second, 20), strict=True):
        assert part.examples == whole.examples[2:] and part.dropped == whole.dropped[2:]


def test_a_resume_with_other_data_or_settings_is_refused():
    state = sampler().state_dict()
    for other in (sampler(seed=2), sampler(table_of((7, 4, 4, True, 0), (3, 4, 4, False, 0), keys=b"other"))):
        with pytest.raises(DataError, match="other pairs"):
            other.load_state_dict(state)


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    batch=st.integers(1, 5),
    weight=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_every_pair_comes_as_often_as_its_weight_says(counts, batch, weight):
    table = table_of(*((count, 4, 4 + number, True, 0) for number, count in enumerate(counts)))
    one = BatchSampler(table, batch=batch, seed=0, weights=(weight,))
    epochs = 4 * batch
    steps = one.epoch_steps(epochs)
    seen = Counter(number for dealt in drawn(one, steps) for number in dealt.examples)
    # What does not fill a batch waits, but never longer than a batch.
    assert all(abs(seen[number] - epochs * weight) <= batch for number in range(len(table)))
    assert sum(seen.values()) == steps * batch


def test_a_source_of_twice_the_weight_comes_twice_as_often():
    table = table_of((20, 4, 4, True, 0), (20, 4, 4, True, 1))
    one = BatchSampler(table, batch=4, seed=0, weights=(1.0, 2.0))
    seen = Counter(int(table.source[number]) for dealt in drawn(one, one.epoch_steps(10)) for number in dealt.examples)
    assert seen == {0: 200, 1: 400}


def test_the_share_of_text_to_image_is_kept_at_every_stretch():
    kinds = [bool(MIXED.with_reference[batch.examples[0]]) for batch in drawn(sampler(), 400)]
    assert all(sum(not kind for kind in kinds[first : first + 40]) == 10 for first in range(0, 400, 40))


def test_dropout_is_decided_for_each_example_of_the_run():
    dropped = [gone for batch in drawn(sampler(), 1000) for gone in batch.dropped]
    assert abs(np.mean(dropped) - 0.3) < 0.03
    assert not any(gone for batch in drawn(sampler(instruction_dropout=0), 20) for gone in batch.dropped)


def test_an_epoch_is_over_when_every_pair_has_come():
    one = BatchSampler(table_of((8, 4, 4, True, 0)), batch=4, seed=0)
    assert [(next(one), one.epoch)[1] for _ in range(5)] == [0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("table", "share", "said"),
    [
        (table_of((4, 4, 4, False, 0)), 0.5, "text_to_image_share = 1"),
        (table_of((4, 4, 4, True, 0)), 0.5, "text_to_image_share = 0"),
        (MIXED, 0.0, "share above 0"),
    ],
)
def test_a_share_without_examples_is_refused(table, share, said):
    with pytest.raises(DataError, match=said):
        sampler(table, text_to_image_share=share)


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(RequestError, match="a batch of 5 for 2 processes"):
        sampler(batch=5, processes=2)
