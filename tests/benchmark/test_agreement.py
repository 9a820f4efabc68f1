"""Two judges side by side: only pictures that both were shown, and known figures for known scores."""

from __future__ import annotations

import pytest
from judged_logs import answer, judged, unread

from step1x_edit.benchmark.judging.agreement import agreement
from step1x_edit.errors import DataError
from step1x_edit.schema.judged import JudgedCase
from step1x_edit.schema.tasks import EditTask

pytestmark = pytest.mark.fast


def log(*scores: tuple[float, float] | None) -> list[JudgedCase]:
    rows = []
    for number, pair in enumerate(scores):
        asked = {"consistency": unread("?"), "quality": unread("?")}
        if pair is not None:
            asked = {"consistency": answer(pair[0], 10), "quality": answer(pair[1], 10)}
        rows.append(judged(number, EditTask.STYLE_TRANSFER, asked))  # pyright: ignore[reportArgumentType]
    return rows


def test_a_judge_agrees_with_itself() -> None:
    scores = log((1, 9), (4, 9), (9, 2))
    found = agreement(scores, scores)
    for one in found.measures:
        assert one.both == 3 and one.figures is not None
        assert (one.figures.shift, one.figures.mean_distance, one.figures.within_one) == (0, 0, 1)
        assert one.figures.pearson == pytest.approx(1) and one.figures.spearman == pytest.approx(1)


def test_a_milder_judge_is_shifted_and_keeps_the_order() -> None:
    found = agreement(log((1, 4), (3, 4), (7, 4)), log((2, 4), (5, 4), (8, 4)))
    consistency, quality, _ = found.measures
    assert consistency.figures is not None and quality.figures is not None
    assert consistency.figures.shift == pytest.approx(4 / 3)
    assert consistency.figures.within_one == pytest.approx(2 / 3)
    assert consistency.figures.spearman == pytest.approx(1)
    assert quality.figures.pearson is None


def test_pictures_without_scores_are_counted_and_left_out() -> None:
    found = agreement(log((1, 4), None, (7, 4), None), log((1, 4), (2, 2), None, None))
    assert [(one.both, one.only_first, one.only_second, one.neither) for one in found.measures] == [(1, 1, 1, 1)] * 3
    assert found.measures[0].figures is not None and found.measures[0].figures.shift_interval is None


def test_other_pictures_are_not_compared() -> None:
    first, second = log((1, 4), (2, 4)), log((1, 4), (9, 4))
    second[1] = second[1].model_copy(update={"edited_sha256": "f" * 64})
    found = agreement(first, second)
    assert (found.same_pictures, found.other_pictures) == (1, 1)
    with pytest.raises(DataError, match="in common"):
        agreement(first[1:], second[1:])
