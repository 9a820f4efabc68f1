"""``step1x fetch``: a release from the hub to this machine's cache; the only command that downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["fetch"]


def fetch(
    release: Annotated[str, typer.Argument(help="One of `step1x releases`.")],
    cache: Annotated[Path | None, typer.Option(help="Cache folder; huggingface_hub's own by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show sizes and checksums, download nothing.")] = False,
) -> None:
    """Download a release and check it against the hub's checksums. A stopped download goes on where it stopped."""
    from step1x_edit.pipeline.fetching import fetch as fetch_release
    from step1x_edit.pipeline.fetching import plan_fetch
    from step1x_edit.presets.releases import find_release

    plan = plan_fetch(find_release(release), cache=cache)
    for file in plan.files:
        typer.echo(f"{file.size / 2**20:12,.1f} MiB  {file.checksum[:16]:16}  {file.repository}/{file.name}")
    typer.echo(f"{release}: {plan.size / 2**30:.2f} GiB, of which {plan.cached / 2**30:.2f} GiB are here already.")
    if dry_run:
        return
    for folder in fetch_release(plan, cache=cache):
        typer.echo(f"Fetched and checked: {folder}")
