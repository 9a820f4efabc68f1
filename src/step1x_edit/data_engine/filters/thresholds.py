"""Thresholds of the filters, read from ``thresholds.toml``, where each has its source."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from step1x_edit.schema.tasks import EditTask

__all__ = ["with_thresholds"]

Made = TypeVar("Made")


def with_thresholds(kind: Callable[..., Made], name: str, task: EditTask, **given: object) -> Made:
    """Make a filter with the thresholds of its name, where the task has its own with those.

    Args:
        kind: The filter's class.
        name: The filter's name and table in the file.
        task: The edit task.
        **given: Fields that take the place of the file's, or that it does not have.

    Raises:
        KeyError: The file has no table of that name.
        TypeError: The table does not say what the filter asks for.
    """
    table = _tables()[name]
    own = table.get(task.benchmark_key, {})
    values = {key: value for key, value in {**table, **own}.items() if key not in _NOT_VALUES}
    return kind(**{**values, **given})


_NOT_VALUES = frozenset({"source", *(task.benchmark_key for task in EditTask)})


@cache
def _tables() -> dict[str, dict[str, Any]]:
    text = files("step1x_edit.data_engine.filters").joinpath("thresholds.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
