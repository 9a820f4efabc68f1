"""``step1x inspect``: what a weight file is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from step1x_edit.models.checkpoint import CheckpointReport

__all__ = ["inspect"]


def inspect(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A weight file or folder.")],
    release: Annotated[str | None, typer.Option("-r", "--release", help="Check that it is this release.")] = None,
) -> None:
    """Say what a weight file is: part, layout, release, types, parameters, and what it lacks. Reads headers only."""
    from step1x_edit.models.checkpoint import inspect_checkpoint
    from step1x_edit.models.checkpoint.loading import open_transformer

    report = inspect_checkpoint(path)
    for name, value in _lines(report).items():
        typer.echo(f"{name:12}{value}")
    if release is not None and report.part == "transformer":
        open_transformer(path, release=release, config=report.sizes)
        typer.echo(f"{'fits':12}{release}")


def _lines(report: CheckpointReport) -> dict[str, str]:
    lines = {
        "file": str(report.path),
        "part": report.part,
        "layout": report.layout,
        "release": report.release_text,
        "dtype": report.dtypes,
        "tensors": f"{report.tensors:,}",
        "parameters": f"{report.parameters:,}",
        "size": f"{report.bytes_on_disk / 2**20:,.1f} MiB",
    }
    if report.part == "vae":
        lines["release"] = "any but nano (they share the VAE)"
    if report.part == "adapter":
        lines["rank"] = ", ".join(map(str, report.sizes["rank"]))
        return lines
    if report.folded:
        lines["folded"] = "connector.scale_factor"
    return lines | {"complete": "yes" if report.complete else f"no: {report.difference}"}
