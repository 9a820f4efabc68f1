"""``step1x train init``: a commented config to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["init"]


def init(
    config: Annotated[Path, typer.Argument(help="File to write.")] = Path("train.toml"),
    preset: Annotated[str, typer.Option(help="See `step1x train presets`.")] = "lora-24gb",
    release: Annotated[
        str | None, typer.Option("-r", "--release", help="See `step1x releases`.  [v1.2, or the preset's]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a config with every key explained."""
    from importlib.resources import files

    from step1x_edit.pipeline.outcome import write_atomically
    from step1x_edit.presets.releases import find_release
    from step1x_edit.presets.training import find_training_preset

    chosen = find_training_preset(preset)
    release = find_release(release or chosen.settings.get("model", {}).get("release", "v1.2")).id
    text = (files("step1x_edit.apps.cli.train") / "starter.toml").read_text(encoding="utf-8")
    written = text.replace("PRESET", preset).replace("RELEASE", release)
    write_atomically(config, written.encode(), overwrite=force)
    typer.echo(f"{config} written. Then: step1x train {chosen.method} {config} --dry-run")
