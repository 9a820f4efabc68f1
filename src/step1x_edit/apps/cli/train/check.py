"""``step1x train check``: what is wrong with which pair, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from step1x_edit.training.check import PairReport
    from step1x_edit.training.config import SourceConfig

__all__ = ["check"]

SourceKind = Literal["auto", "store", "folder", "dataset", "official"]
_SIZE_LEVEL = 512
_SHOWN = 40
"""Lines of the table; all findings are in the JSON."""
_DATA_WRONG = 6


def check(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A store, a folder of pairs, a CSV or JSONL, a data set, the official trainer's JSON, or a run's config.",
        ),
    ],
    kind: Annotated[SourceKind, typer.Option(help="What lies there.")] = "auto",
    size_level: Annotated[
        int | None,
        typer.Option(
            min=16, help="Side in pixels of a square with the area that will be trained.  [512, or the config's]"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all findings as JSON.")] = False,
) -> None:
    """Say what is wrong with which pair: missing, unreadable, shifted, identical, misshapen, without words.

    Exit code 6 when something is wrong; what is only worth knowing leaves it at 0.
    """
    from step1x_edit.apps.cli.progress import counting_progress
    from step1x_edit.training.check import check_pairs
    from step1x_edit.training.pairs import open_pairs

    sources, level = _sources(path, kind)
    opened = [open_pairs(source) for source in sources]
    reports = []
    for source in opened:
        with counting_progress("pairs checked", len(source)) as progress:
            reports.append(check_pairs(source, size_level=size_level or level, report=progress))
    if json:
        typer.echo(_as_json(reports))
    for report in reports if not json else ():
        _show(report)
    if any(report.wrong for report in reports):
        raise typer.Exit(_DATA_WRONG)


def _sources(path: str, kind: SourceKind) -> tuple[Sequence[SourceConfig], int]:
    """Return what is to be checked, and the size level it will be trained at."""
    from pathlib import Path

    from step1x_edit.training.config import SourceConfig
    from step1x_edit.training.config_file import is_run_config, read_sources

    if kind == "auto" and is_run_config(Path(path)):
        return read_sources(Path(path))
    return (SourceConfig(path=path, kind=kind),), _SIZE_LEVEL


def _as_json(reports: Sequence[PairReport]) -> str:
    import json

    sources = [
        {
            "source": report.source,
            "pairs": report.pairs,
            "wrong": report.wrong,
            "counts": report.counts,
            "findings": [
                {name: getattr(one, name) for name in ("pair", "origin", "kind", "wrong", "what", "remedy")}
                for one in report.findings
            ],
        }
        for report in reports
    ]
    return json.dumps(sources, ensure_ascii=False, indent=1)


def _show(report: PairReport) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from step1x_edit.training.check import KINDS

    # What stops a training comes before what is only worth knowing.
    findings = sorted(report.findings, key=lambda one: not one.wrong)
    if findings:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("", "pair", "what"):
            table.add_column(heading, overflow="fold")
        for one in findings[:_SHOWN]:
            table.add_row("wrong" if one.wrong else "note", escape(one.origin), escape(one.what))
        Console().print(table)
    if len(findings) > _SHOWN:
        typer.echo(f"... and {len(findings) - _SHOWN} more; --json prints them all")
    for kind, count in report.counts.items():
        typer.echo(f"{count} {kind}: {KINDS[kind].remedy}")
    sound = report.pairs - len({one.pair for one in report.findings})
    typer.echo(f"{report.source}: {report.pairs} pairs, {sound} sound, {report.wrong} wrong")
