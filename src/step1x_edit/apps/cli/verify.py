"""``step1x verify``: a release on this machine against the checksums the hub stated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["verify"]


def verify(
    release: Annotated[str, typer.Argument(help="One of `step1x releases`.")],
    weights: Annotated[Path | None, typer.Option(help="A folder of the release; the cache by default.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Cache folder; huggingface_hub's own by default.")] = None,
) -> None:
    """Read every file of a release and compare it with the checksum the hub stated; open every weight file's header."""
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from step1x_edit.pipeline.fetching import require_sound
    from step1x_edit.pipeline.fetching import verify as checked_files
    from step1x_edit.presets.releases import find_release

    checks = []
    columns = (TextColumn("Reading"), DownloadColumn(binary_units=True), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)
        found = checked_files(
            find_release(release), weights=weights, cache=cache, advance=lambda size: progress.advance(task, size)
        )
        for check in found:
            checks.append(check)
            typer.echo(f"{'bad ' if check.problem else 'good'}  {check.path}" + _why(check.problem))
    embedded = find_release(release).form == "embedded"
    require_sound(checks, remedy="Install the package again." if embedded else f"Run `step1x fetch {release}` again.")
    typer.echo(f"{release}: {len(checks)} files, {sum(check.size for check in checks) / 2**30:.2f} GiB, all sound.")


def _why(problem: str | None) -> str:
    return f": {problem}" if problem else ""
