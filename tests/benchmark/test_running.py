"""Runs over a suite: kept picture by picture, and never mixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from step1x_edit.benchmark.classical import ClassicalEditor
from step1x_edit.benchmark.editors import IdentityEditor, SuiteEditor
from step1x_edit.benchmark.running import run_suite
from step1x_edit.benchmark.suites import Suite, open_suite
from step1x_edit.errors import DataError


class Counting(IdentityEditor):
    """Counts its calls, and may break down before one of them."""

    name = "counting"

    def __init__(self, *, breaks_at: int = 99) -> None:
        self.calls = 0
        self._breaks_at = breaks_at

    def edit(self, reference: np.ndarray, instruction: str, *, seed: int) -> np.ndarray:
        if self.calls == self._breaks_at:
            raise KeyboardInterrupt
        self.calls += 1
        return super().edit(reference, instruction, seed=seed)


class Shrinking(IdentityEditor):
    def edit(self, reference: np.ndarray, instruction: str, *, seed: int) -> np.ndarray:
        return super().edit(reference, instruction, seed=seed)[:-1]


def finish(suite: Suite, editor: SuiteEditor, folder: Path, **settings: object) -> int:
    return len(list(run_suite(suite, editor, folder, **settings)))  # pyright: ignore[reportArgumentType]


def test_a_stopped_run_goes_on_without_editing_a_case_again(suite: Suite, tmp_path: Path) -> None:
    first = Counting(breaks_at=2)
    with pytest.raises(KeyboardInterrupt):
        finish(suite, first, tmp_path)
    second = Counting()
    assert finish(suite, second, tmp_path) == len(suite.cases)
    assert (first.calls, second.calls) == (2, len(suite.cases) - 2)


def test_a_torn_picture_is_made_again(suite: Suite, tmp_path: Path) -> None:
    finish(suite, Counting(), tmp_path)
    torn = tmp_path / f"{suite.cases[1].name}.png"
    torn.write_bytes(torn.read_bytes()[:60])
    again = Counting()
    finish(suite, again, tmp_path)
    assert again.calls == 1


def test_results_of_other_settings_are_not_mixed_in(suite: Suite, tmp_path: Path) -> None:
    finish(suite, IdentityEditor(), tmp_path)
    with pytest.raises(DataError, match="another editor"):
        finish(suite, ClassicalEditor(), tmp_path)
    with pytest.raises(DataError, match="another language and seed"):
        finish(suite, IdentityEditor(), tmp_path, language="zh", seed=4)


def test_a_result_of_another_size_is_refused(suite: Suite, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="48 x 47 px"):
        finish(suite, Shrinking(), tmp_path)


def test_an_unknown_suite_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the folder of a store"):
        open_suite(str(tmp_path / "none"))
