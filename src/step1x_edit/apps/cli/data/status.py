"""``step1x data status``: how far a build is, and what was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["status"]


def status(folder: Annotated[Path, typer.Argument(help="Folder of a store.")]) -> None:
    """Say how far a build is, and what was kept. Works while the build runs."""
    from step1x_edit.apps.cli.data.summary import task_table
    from step1x_edit.store import read_manifest, read_store_info

    manifest, info = read_manifest(folder), read_store_info(folder)
    state = "finished" if manifest.hash and info.attempts == manifest.attempts_wanted else "not finished"
    typer.echo(f"{info.attempts} of {manifest.attempts_wanted} attempts, {state}: {folder}")
    if info.attempts:
        typer.echo(task_table(info.kept, info.rejected))
    if info.retries:
        typer.echo(f"{info.retries} attempts ran out of time; the same build command makes them again.")
    if manifest.hash:
        typer.echo(f"manifest hash: {manifest.hash}")
