"""``step1x bench report``: runs that a judge has scored → one HTML page, with Markdown and JSON beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders results/METHOD, the editor it is about first.")
    ],
    judge: Annotated[
        str | None, typer.Option(help="Folder of the judge below `judged`, where there are several.")
    ] = None,
    rival: Annotated[str | None, typer.Option(help="Editor beside yours in the grids.  [the second]")] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The page.  [report.html beside the judge's log of the first run]"),
    ] = None,
) -> None:
    """Show what a judge said: tables with intervals, charts, and every case with its pictures, worst first."""
    from rich.console import Console

    from step1x_edit.benchmark.report.judged_report import gather_report
    from step1x_edit.benchmark.report.writing import write_report
    from step1x_edit.benchmark.scores.judged_run import judged_folders, read_judged_run
    from step1x_edit.errors import RequestError

    folders = list(dict.fromkeys(folder for run in runs for folder in judged_folders(run)))
    known = sorted({folder.name for folder in folders})
    wanted = judge or known[0]
    if wanted not in known or (judge is None and len(known) > 1):
        raise RequestError(
            given=f"the judge {judge!r}" if judge else f"runs with the judges {', '.join(known)}",
            expected=f"one of {', '.join(known)}",
            remedy="Choose one with --judge.",
        )
    chosen = [read_judged_run(folder) for folder in folders if folder.name == wanted]
    page = out or chosen[0].folder / "report.html"
    gathered = gather_report(chosen, rival=rival, seen_from=page.parent)
    for path in write_report(gathered, page):
        Console().print(str(path), soft_wrap=True, highlight=False)
