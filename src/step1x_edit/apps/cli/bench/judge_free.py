"""Carries out ``step1x bench scores --judge-free``: the pictures of runs, measured without a judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table

from step1x_edit.apps.cli.bench.score_tables import TABLE_WIDTH
from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.cases.opening import open_cases
from step1x_edit.benchmark.generation.run_folder import RunFolder
from step1x_edit.benchmark.judge_free import (
    MEASURES,
    JudgeFreeScores,
    JudgeFreeSummary,
    measure_edit,
)
from step1x_edit.errors import DataError
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.schema.judged import CaseLanguage

__all__ = ["measure_runs", "show_judge_free"]


def measure_runs(
    paths: Sequence[Path], suite: str, *, languages: Sequence[CaseLanguage], parts: Path | None = None
) -> dict[str, tuple[JudgeFreeScores, ...]]:
    """Measure every picture of the editors at some paths.

    Args:
        paths: Folders ``results/METHOD``, or outputs that hold ``results``.
        suite: The cases that were edited, as ``step1x bench run --suite`` takes them.
        languages: Which cases.
        parts: Folder of expert parts, if not in its usual place.

    Returns:
        Editor → its pictures' measures; cases without a picture have none.

    Raises:
        DataError: There is no run of these cases, or two have one name.
    """
    cases = open_cases(suite)
    experts = EmbeddedExperts(parts) if parts else EmbeddedExperts()
    found: dict[str, tuple[JudgeFreeScores, ...]] = {}
    for run in (one for path in paths for one in _runs(path)):
        if run.method in found:
            raise DataError(
                given=f"the editor {run.method} twice",
                expected="editors of different names",
                remedy="Give one run of each editor, or rename a folder below results.",
            )
        whole = [one for one in cases if one.id.language in languages and run.is_whole(one.id)]
        found[run.method] = tuple(_measured(one, run.edited(one.id), experts) for one in whole)
        if not whole:
            raise DataError(
                given=f"{run.path}, in which no picture of {suite} lies",
                expected="pictures in fullset/TASK/LANGUAGE of these cases",
                remedy="Name the cases that were edited with --judge-free.",
            )
    return found


def _measured(case: JudgeableCase, path: Path, experts: EmbeddedExperts) -> JudgeFreeScores:
    with Image.open(path) as edited:
        return measure_edit(case, edited, experts)


def show_judge_free(method: str, summaries: Sequence[JudgeFreeSummary]) -> None:
    """Print the means; in brackets the cases that have the measure, where not all have."""
    table = Table(title=f"{method}, without a judge")
    table.add_column("task", no_wrap=True)
    for head in ("pictures", *(measure.replace("_", " ") for measure in MEASURES)):
        table.add_column(head, justify="right")
    for one in summaries:
        cells = (_cell(one, measure) for measure in MEASURES)
        table.add_row(one.task.paper_name if one.task else "all cases alike", str(one.cases), *cells)
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, TABLE_WIDTH)
    console.print(table)


def _cell(summary: JudgeFreeSummary, measure: str) -> str:
    known = {str(name): mean for name, mean in summary.means.items()}.get(measure)
    if known is None:
        return "–"
    return f"{known.mean:.3f}" + ("" if known.cases == summary.cases else f" ({known.cases})")


def _runs(path: Path) -> list[RunFolder]:
    folders = [path] if (path / "fullset").is_dir() else sorted(one.parent for one in path.glob("**/results/*/fullset"))
    if not folders:
        raise DataError(
            given=f"{path}, in which there are no edited pictures",
            expected="a folder with results/METHOD/fullset in it",
            remedy="Make the pictures with `step1x bench run`.",
        )
    return [RunFolder(folder.parent.parent, folder.name) for folder in folders]
