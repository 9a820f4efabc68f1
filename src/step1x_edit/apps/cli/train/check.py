"""``step1x train check``: what is wrong with which pair, before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from step1x_edit.training.check import PairReport

__all__ = ["check"]

_SHOWN = 40
"""Lines of the table; all findings are in the JSON."""
_DATA_WRONG = 6


def check(
    path: Annotated[
        str,
        typer.Argument(help="A store, a folder of pairs, a CSV or JSONL, a data set, or the official trainer's JSON."),
    ],
    kind: Annotated[
        Literal["auto", "store", "folder", "dataset", "official"], typer.Option(help="What lies there.")
    ] = "auto",
    size_level: Annotated[
        int, typer.Option(min=16, help="Side in pixels of a square with the area that will be trained.")
    ] = 512,
    json: Annotated[bool, typer.Option("--json", help="Print all findings as JSON.")] = False,
) -> None:
    """Say what is wrong with which pair: missing, unreadable, shifted, identical, misshapen, without words.

    Exit code 6 when something is wrong; what is only worth knowing leaves it at 0.
    """
    from step1x_edit.apps.cli.progress import counting_progress
    from step1x_edit.training.check import check_pairs
    from step1x_edit.training.config import SourceConfig
    from step1x_edit.training.pairs import open_pairs

    source = open_pairs(SourceConfig(path=path, kind=kind))
    with counting_progress("pairs checked", len(source)) as progress:
        report = check_pairs(source, size_level=size_level, report=progress)
    if json:
        typer.echo(_as_json(report))
    else:
        _show(report)
    if report.wrong:
        raise typer.Exit(_DATA_WRONG)


def _as_json(report: PairReport) -> str:
    import json

    findings = [
        {
            "pair": one.pair,
            "origin": one.origin,
            "kind": one.kind,
            "wrong": one.wrong,
            "what": one.what,
            "remedy": one.remedy,
        }
        for one in report.findings
    ]
    head = {"source": report.source, "pairs": report.pairs, "wrong": report.wrong, "counts": report.counts}
    return json.dumps({**head, "findings": findings}, ensure_ascii=False, indent=1)


def _show(report: PairReport) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from step1x_edit.training.check import KINDS

    console = Console()
    # What stops a training comes before what is only worth knowing.
    findings = sorted(report.findings, key=lambda one: not one.wrong)
    if findings:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("", "pair", "what"):
            table.add_column(heading, overflow="fold")
        for one in findings[:_SHOWN]:
            table.add_row("wrong" if one.wrong else "note", escape(one.origin), escape(one.what))
        console.print(table)
    if len(findings) > _SHOWN:
        console.print(f"... and {len(findings) - _SHOWN} more; --json prints them all")
    for kind, count in report.counts.items():
        console.print(f"{count} {kind}: {KINDS[kind].remedy}", highlight=False)
    sound = report.pairs - len({one.pair for one in report.findings})
    console.print(f"{report.pairs} pairs: {sound} sound, {report.wrong} wrong.", highlight=False)
