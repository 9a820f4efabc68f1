"""Intervals hold the truth as often as they say, and chance alone is not called a difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from judged_logs import drawn_log, write_run

from step1x_edit.benchmark.scores.judged_run import read_judged_run
from step1x_edit.benchmark.scores.pairing import holm, paired_differences, sign_flip_p_values
from step1x_edit.benchmark.scores.resampling import interval, resampled_means
from step1x_edit.errors import DataError
from step1x_edit.schema.tasks import EditTask

TASKS = (EditTask.STYLE_TRANSFER, EditTask.TEXT_MODIFICATION, EditTask.MOTION_CHANGE)


def drawn(rng: np.random.Generator, *, cases: int = 40, mean: float = 0.0) -> dict[EditTask, np.ndarray]:
    return {task: rng.normal(mean, 2.5, (cases, 1)) for task in TASKS}


def test_the_interval_of_606_cases_is_about_a_fifth_of_a_point_either_way() -> None:
    rng = np.random.default_rng(1)
    values = {task: rng.normal(6, 2.5, (55, 1)) for task in EditTask}
    found = interval(resampled_means(values).macro[:, 0], cases=[55] * 11)
    assert found is not None
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * 2.5 / 605**0.5, rel=0.1)


def test_intervals_hold_the_true_mean_in_about_95_of_100_draws() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        found = interval(resampled_means(drawn(rng), draws=400).macro[:, 0], cases=[40] * 3)
        assert found is not None
        held += found.low <= 0 <= found.high
    assert 180 <= held <= 198


def test_the_intervals_of_a_task_do_not_depend_on_other_tasks() -> None:
    values = drawn(np.random.default_rng(3))
    alone = resampled_means({TASKS[1]: values[TASKS[1]]})
    assert np.array_equal(alone.tasks[TASKS[1]], resampled_means(values).tasks[TASKS[1]])


def test_a_single_case_has_no_interval() -> None:
    assert interval(np.array([1.0, 2.0]), cases=[5, 1]) is None


def test_chance_is_called_a_difference_about_once_in_twenty() -> None:
    rng = np.random.default_rng(4)
    p_values = np.array([sign_flip_p_values(drawn(rng, cases=12), flips=199)[0] for _ in range(300)])
    assert 0.02 <= (p_values <= 0.05).mean() <= 0.085


def test_a_real_difference_is_seen_and_no_difference_is_none() -> None:
    rng = np.random.default_rng(5)
    assert sign_flip_p_values(drawn(rng, mean=1.5))[0] < 0.001
    assert sign_flip_p_values({task: np.zeros((4, 1)) for task in TASKS})[0] == 1


def test_p_values_are_those_of_all_arrangements_of_the_signs() -> None:
    values = np.array([[3.0], [1.0], [2.0], [-0.5], [1.5]])
    every = (np.array(np.meshgrid(*[[-1, 1]] * 5)).reshape(5, -1).T @ values).ravel()
    exact = (np.abs(every) >= abs(values.sum()) - 1e-9).mean()
    assert sign_flip_p_values({TASKS[0]: values}, flips=19_999)[0] == pytest.approx(exact, abs=0.01)


def test_holm_multiplies_the_least_by_all_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


def test_two_editors_are_compared_on_the_cases_that_both_have(tmp_path: Path) -> None:
    base, better = drawn_log(5), drawn_log(5, lift=2)
    without = tuple(one for number, one in enumerate(better) if number % 9)
    runs = [read_judged_run(write_run(tmp_path, name, log)) for name, log in (("base", base), ("better", without))]
    found = {one.metric: one for one in paired_differences(runs, language="en")}
    overall = found["O"]
    assert (overall.first, overall.second) == ("base", "better")
    assert overall.cases + overall.only_first == sum(one.state == "scored" for one in base if one.case.language == "en")
    assert overall.only_second == 0
    assert overall.wins + overall.ties + overall.losses == overall.cases
    assert overall.losses == 0
    assert overall.macro.interval is not None
    assert 0 < overall.macro.interval.low < (overall.macro.value or 0) < overall.macro.interval.high
    assert overall.p_value <= overall.p_adjusted < 0.01


def test_one_editor_twice_is_refused(tmp_path: Path) -> None:
    log = drawn_log(1, most=3)
    runs = [read_judged_run(write_run(tmp_path / place, "same", log)) for place in ("a", "b")]
    with pytest.raises(DataError, match="the editor same twice"):
        paired_differences(runs, language="en")
