"""``step1x bench agreement``: two judges of the same pictures side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from step1x_edit.benchmark.judging.agreement import Agreement

__all__ = ["agreement"]

TABLE_WIDTH = 120
"""Columns of text that the table takes; a file or a pipe has room for them."""


def agreement(
    first: Annotated[Path, typer.Argument(help="A judge's folder: results/METHOD/judged/JUDGE.")],
    second: Annotated[Path, typer.Argument(help="Another judge's of the same pictures.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write the figures as JSON instead.")] = False,
) -> None:
    """Say how far two judges agree: shift, distance and correlation of SC, PQ and O on pictures that both scored."""
    import json
    from dataclasses import asdict

    from rich.console import Console

    from step1x_edit.benchmark.judging.agreement import agreement as compare
    from step1x_edit.benchmark.scores.judged_run import read_judged_run

    runs = [read_judged_run(folder) for folder in (first, second)]
    found = compare(runs[0].cases, runs[1].cases)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, TABLE_WIDTH)
    console.print(f"first: {runs[0].judge.model}; second: {runs[1].judge.model}", markup=False)
    if runs[0].judge.prompt_sha256 != runs[1].judge.prompt_sha256:
        console.print("They were asked in other words, so this is agreement of judges and questions together.")
    console.print(_table(found))
    if found.other_pictures or found.only_in_one:
        console.print(
            f"left out: {found.other_pictures} cases with other pictures or words, {found.only_in_one} in one log only"
        )


def _table(found: Agreement) -> Table:
    from rich.table import Table

    table = Table(title=f"{found.same_pictures} pictures that both were shown")
    for head in ("", "both", "one", "none", "first", "second", "shift", "95 %", "distance", "within 1", "r", "rho"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in found.measures:
        counts = (str(one.both), str(one.only_first + one.only_second), str(one.neither))
        told = one.figures
        if told is None:
            table.add_row(one.measure, *counts, *["–"] * 8)
            continue
        interval = told.shift_interval
        table.add_row(
            one.measure,
            *counts,
            f"{told.mean_first:.2f}",
            f"{told.mean_second:.2f}",
            f"{told.shift:+.2f}",
            "–" if interval is None else f"{interval[0]:+.2f} to {interval[1]:+.2f}",
            f"{told.mean_distance:.2f}",
            f"{told.within_one:.0%}",
            *("–" if value is None else f"{value:.2f}" for value in (told.pearson, told.spearman)),
        )
    return table
