"""The published tables, read from ``tables.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from step1x_edit.schema.judged import CaseLanguage
from step1x_edit.schema.judged_scores import Subset
from step1x_edit.schema.tasks import EditTask

__all__ = ["BenchmarkFacts", "JudgeFamily", "Published", "PublishedRow", "PublishedTable", "Source", "published"]

JudgeFamily = Literal["gpt-4.1", "qwen2.5-vl-72b", "people"]
"""Kinds of judges of the published tables; scores of two kinds have nothing to do with each other."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BenchmarkFacts(_Record):
    """How large the published set is."""

    dataset: str
    cases: int
    """Of each language."""
    intersection: dict[CaseLanguage, int]
    tasks: dict[EditTask, int]
    """Cases of each task and language."""


class Source(_Record):
    """Where figures were printed."""

    title: str
    where: str
    date: str
    """Year, month, day, as far as known."""
    note: str = ""


class PublishedRow(_Record):
    """One editor; all values 0..10."""

    model: str
    SC: float | None = None
    PQ: float | None = None
    O: float  # noqa: E741 - the paper's name
    """Mean over tasks of the overall score; of people, their mean preference."""
    tasks: dict[EditTask, float] = Field(default_factory=dict)
    """The overall score of each task, where it was printed."""
    note: str = ""


class PublishedTable(_Record):
    """Rows that were printed together."""

    id: str
    source: str
    """Key of :attr:`Published.sources`."""
    language: CaseLanguage
    subset: Subset
    family: JudgeFamily
    judge: str
    judge_state: str = ""
    """When the judge behind an alias was asked, where it is known."""
    mixed: bool = False
    """True where not even the rows of the table were judged together."""
    rows: tuple[PublishedRow, ...]


class Published(_Record):
    """All of it."""

    benchmark: BenchmarkFacts
    sources: dict[str, Source]
    tables: tuple[PublishedTable, ...]


@cache
def published() -> Published:
    """Return the published tables and their sources."""
    text = (files("step1x_edit.benchmark.published") / "tables.toml").read_text(encoding="utf-8")
    return Published.model_validate(tomllib.loads(text))
