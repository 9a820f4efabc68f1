"""``step1x data report``: one HTML page about a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a store.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write.  [report.html in the store]")] = None,
    per_task: Annotated[int, typer.Option(min=1, max=500, help="Triplets that are shown of each task.")] = 20,
) -> None:
    """Write one page that needs nothing else: triplets by task, what filters dropped, and why."""
    from step1x_edit.data_engine.report import html_report
    from step1x_edit.store.shard import written_whole

    path = out or folder / "report.html"
    text = html_report(folder, per_task=per_task)
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")
    typer.echo(f"Written: {path} ({path.stat().st_size / 1e6:.1f} MB)")
