"""docs/data-engine.md speaks of what is there: every filter, every task, and a reading example that runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from drawn_store import drawn_store

from step1x_edit.data_engine.filters.chain import BY_TASK
from step1x_edit.data_engine.filters.held_out import HeldOut
from step1x_edit.data_engine.recipes import RECIPES

GUIDE = (Path(__file__).parents[2] / "docs" / "data-engine.md").read_text(encoding="utf-8")


def test_every_filter_and_every_task_is_explained() -> None:
    rows = set(re.findall(r"`([\w-]+)`", "\n".join(line for line in GUIDE.splitlines() if line.startswith("| `"))))
    assert {one.name for filters in BY_TASK.values() for one in filters} | {HeldOut.name} <= rows
    assert {task.value for task in RECIPES} <= rows


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_run(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra `data`")
    drawn_store(tmp_path / "triplets")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    exec(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)[number], {})
