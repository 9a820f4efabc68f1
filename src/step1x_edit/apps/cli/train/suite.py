"""The mini suite's table inside a validation: training asks for it, the benchmark makes it, this door joins the two."""

from __future__ import annotations

from pathlib import Path

from step1x_edit.benchmark.editors import ReleaseEditor
from step1x_edit.benchmark.recognition import Recogniser
from step1x_edit.benchmark.running import run_suite
from step1x_edit.benchmark.scoring import score_case, summarise
from step1x_edit.benchmark.suites import Suite, open_suite
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.pipeline.editor import Editor
from step1x_edit.schema.score import TaskSummary
from step1x_edit.training.validation import SuiteTable

__all__ = ["suite_table", "table_of"]

_HEADS = ("task", "cases", "gain", "median", "dB outside")


def suite_table(name: str) -> SuiteTable:
    """Return what runs a suite with the network in training and tells its scores as plain text.

    Args:
        name: A suite in the package, or a store of triplets.

    Raises:
        DataError: There is no such suite.
    """
    suite = open_suite(name)
    return lambda editor, folder: table_of(suite, editor, folder)


def table_of(suite: Suite, editor: Editor, folder: Path) -> str:
    """Run a suite in English and return its scores as plain text; the pictures stay in the folder."""
    from step1x_edit.apps.settings import read_settings

    experts = EmbeddedExperts(read_settings().parts)
    recogniser = Recogniser(experts)
    judged = ReleaseEditor(editor, name="this run", version=folder.name, preset="balanced")
    scores = [score_case(one, experts, recogniser) for one in run_suite(suite, judged, folder, language="en", seed=0)]
    return _as_text(summarise(scores))


def _as_text(summaries: tuple[TaskSummary, ...]) -> str:
    rows = [_HEADS, *(_row(one) for one in summaries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def _row(one: TaskSummary) -> tuple[str, ...]:
    outside = "-" if one.psnr_outside is None else f"{one.psnr_outside:.1f}"
    name = one.task.paper_name if one.task else "all tasks alike"
    return name, str(one.cases), f"{one.gain_mean:+.2f}", f"{one.gain_median:+.2f}", outside
