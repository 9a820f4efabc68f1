"""``step1x train lora``: an adapter from one config file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["lora"]


def lora(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The run; `step1x train init` writes one.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder of the run.  [runs/NAME of the config]")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Lies above the config; repeatable.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart/--resume", help="Forget an earlier run in the folder, or go on with it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say pairs, steps, memory and disk; load no weights.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Plain lines now and then instead of a bar.")] = False,
) -> None:
    """Train an adapter on your own pairs. The same command goes on after a stop; Ctrl-C keeps a checkpoint first."""
    from step1x_edit.apps.cli.train.running import TrainOrder, carry_out

    order = TrainOrder(
        config=config, method="lora", out=out, overrides=tuple(overrides or ()), restart=restart, quiet=quiet
    )
    carry_out(order, dry_run=dry_run)
