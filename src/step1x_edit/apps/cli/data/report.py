"""``step1x data report``: one HTML page about a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from step1x_edit.data_engine.remaking import Remaker
    from step1x_edit.store import Manifest

__all__ = ["report"]


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a store.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write.  [report.html in the store]")] = None,
    per_task: Annotated[int, typer.Option(min=1, max=500, help="Triplets that are shown of each task.")] = 20,
    rejected: Annotated[
        int, typer.Option(min=0, max=50, help="Rejected attempts that are shown, of each task and reason.")
    ] = 3,
    pool: Annotated[
        Path | None,
        typer.Option(
            help="Pool the store was built from, to show rejected attempts and refused files.  "
            "[the one in the store, or the starter pool, if it is that]"
        ),
    ] = None,
) -> None:
    """Write one page that needs nothing else: triplets by task, what was rejected, by which filter, and why.

    A store keeps no pictures of rejected attempts: they are made again from the same pool, about half a second each.
    """
    from step1x_edit.apps.cli.failures import say
    from step1x_edit.apps.settings import read_settings
    from step1x_edit.data_engine.remaking import remaker
    from step1x_edit.data_engine.report import html_report
    from step1x_edit.store import read_manifest
    from step1x_edit.store.shard import written_whole

    manifest, parts = read_manifest(folder), read_settings().parts
    maker = remaker(manifest, pool, parts=parts) if pool else _at_hand(folder, manifest, parts)
    if maker is None:
        say("Rejected attempts are told in words: the pool of this build is not at hand (--pool DIR names it).")
    text = html_report(folder, per_task=per_task, rejected=rejected, remaker=maker)
    path = out or folder / "report.html"
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")
    typer.echo(f"Written: {path} ({path.stat().st_size / 1e6:.1f} MB)")


def _at_hand(folder: Path, manifest: Manifest, parts: Path | None) -> Remaker | None:
    """Return what makes rejected attempts again, where pool, parts and version are those of the build."""
    from step1x_edit.data_engine.pool import default_pool_folder, is_pool
    from step1x_edit.data_engine.remaking import remaker
    from step1x_edit.errors import RequestError

    for pool in filter(is_pool, (folder / "pool", default_pool_folder())):
        try:
            return remaker(manifest, pool, parts=parts)
        except RequestError:
            continue
    return None
