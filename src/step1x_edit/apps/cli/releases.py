"""``step1x releases``: every release with its size, memory, licence, and whether it is on this machine."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from step1x_edit.schema.release import Release

__all__ = ["releases"]


def releases() -> None:
    """List the releases: id, title, size of the download, memory per mode, licence, whether present."""
    from rich.console import Console
    from rich.table import Table

    from step1x_edit.pipeline.weights import is_present
    from step1x_edit.presets.releases import releases as all_releases

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("release", "download", "licence", "present"):
        table.add_column(heading, no_wrap=True)
    table.add_column("title, memory", overflow="fold")
    for release in all_releases():
        table.add_row(
            release.id,
            f"{release.download_gib:.0f} GiB" if release.repository else "embedded",
            release.licence,
            "yes" if is_present(release) else "no",
            f"{release.title}, {release.date}\n{_memory(release)}",
        )
    Console().print(table)


def _memory(release: Release) -> str:
    by_source = groupby(release.memory, key=lambda need: need.source)
    return "\n".join(
        f"{source}:" + "".join(f"\n {need.gib:5.1f} GiB {need.mode}" for need in needs) for source, needs in by_source
    )
