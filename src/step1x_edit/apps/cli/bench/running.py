"""Carries out ``step1x bench run``: suite, editor and experts opened, cases edited and scored, report written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from step1x_edit import __version__
from step1x_edit.apps.cli.engine import Engine, load_editor
from step1x_edit.apps.cli.progress import edit_progress
from step1x_edit.benchmark.editors import SIMPLE_EDITORS, ReleaseEditor, SuiteEditor
from step1x_edit.benchmark.recognition import Recogniser
from step1x_edit.benchmark.report import html_report, thumbnail
from step1x_edit.benchmark.running import run_suite, write_whole
from step1x_edit.benchmark.scoring import gone_text, recognised_text, score_case, summarise
from step1x_edit.benchmark.suites import open_suite
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.models.fingerprint import weights_fingerprint
from step1x_edit.schema.score import RunSettings, TaskSummary

__all__ = ["BenchOrder", "release_editor", "run_bench"]

TABLE_WIDTH = 128
"""Columns of text that the table takes; a file or a pipe has room for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOrder:
    """What is to be run."""

    suite: str
    editor: str
    engine: Engine | None
    """How the release is loaded; none for editors without weights."""
    out: Path
    language: Literal["en", "zh"]
    seed: int
    preset: str
    parts: Path | None


def run_bench(order: BenchOrder) -> None:
    """Edit, score, report; print the table and where the report is."""
    suite = open_suite(order.suite)
    experts = EmbeddedExperts(order.parts) if order.parts else EmbeddedExperts()
    recogniser = Recogniser(experts)
    scores, shown = [], []
    with edit_progress(1) as bar:
        if order.engine is not None:
            bar.loading(order.editor)
        editor = _editor(order)
        steps = bar.picture(0, suite.name)
        results = run_suite(suite, editor, order.out, language=order.language, seed=order.seed)
        for done, finished in enumerate(results, start=1):
            scores.append(score_case(finished, experts, recogniser))
            shown.append(thumbnail(finished, scores[-1]))
            steps(done, len(suite.cases))
    settings = RunSettings.model_validate_json((order.out / "run.json").read_text(encoding="utf-8"))
    summaries = summarise(scores)
    page = html_report(settings, summaries, shown)
    write_whole(order.out / "report.html", page.encode())
    figures = {
        "settings": settings.model_dump(mode="json"),
        "summaries": [one.model_dump(mode="json") for one in summaries],
        "cases": [one.model_dump(mode="json") for one in scores],
    }
    write_whole(order.out / "scores.json", (json.dumps(figures, ensure_ascii=False, indent=1) + "\n").encode())
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, TABLE_WIDTH)
    console.print(_table(summaries, title=f"{order.editor} on {suite.name} ({order.language})"))
    console.print(f"report: {order.out / 'report.html'}", soft_wrap=True)


def _editor(order: BenchOrder) -> SuiteEditor:
    if order.engine is None:
        return SIMPLE_EDITORS[order.editor]()
    return release_editor(order.engine, name=order.editor, preset=order.preset)


def release_editor(
    engine: Engine, *, name: str, preset: str, settings: Mapping[str, Any] | None = None
) -> ReleaseEditor:
    """Load a release; its version names package, adapters and weights.

    Args:
        engine: How it is loaded.
        name: What results call it.
        preset: Sampling preset.
        settings: Further fields of an edit request.
    """
    loaded = load_editor(engine)
    words = [__version__, *(f"{path.name}:{scale}" for path, scale in engine.adapters)]
    words.append(weights_fingerprint(loaded.pipeline.transformer.named_parameters()))
    return ReleaseEditor(loaded, name=name, version=" ".join(words), preset=preset, settings=settings)


def _table(summaries: tuple[TaskSummary, ...], *, title: str) -> Table:
    table = Table(title=title)
    table.add_column("task", no_wrap=True)
    for head in ("cases", "gain", "median", "dB out", "LPIPS-like", "recognised", "gone", "hue"):
        table.add_column(head, justify="right")
    for one in summaries:
        table.add_row(
            one.task.paper_name if one.task else "all tasks alike",
            str(one.cases),
            f"{one.gain_mean:+.2f}",
            f"{one.gain_median:+.2f}",
            "–" if one.psnr_outside is None else f"{one.psnr_outside:.1f}",
            "–" if one.perceptual_outside is None else f"{one.perceptual_outside:.3f}",
            recognised_text(one),
            gone_text(one),
            "–" if one.colour_direction is None else f"{one.colour_direction:+.2f}",
            end_section=one.task is None or one is summaries[-2],
        )
    return table
