"""``step1x convert``: weights in the other layout, in another type, or with adapters merged in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from step1x_edit.errors import RequestError

__all__ = ["convert"]


def convert(
    source: Annotated[Path, typer.Argument(help="A weight file or folder: transformer or VAE.")],
    target: Annotated[Path, typer.Argument(help="A file name ending in .safetensors, or a folder (diffusers layout).")],
    to: Annotated[Literal["official", "diffusers"], typer.Option(help="Layout to write.")] = "diffusers",
    release: Annotated[
        str | None, typer.Option("-r", "--release", help="Release of the weights, where the file does not say.")
    ] = None,
    dtype: Annotated[
        Literal["bfloat16", "float16", "float32"] | None, typer.Option(help="Type to write; the stored one by default.")
    ] = None,
    lora: Annotated[
        list[str] | None, typer.Option(metavar="PATH[:SCALE]", help="Merge this adapter in; repeat for several.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="JSON of sizes that differ from the published ones (names of config.json).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Write weights in another layout or type, with release and layout recorded in the file."""
    import torch

    from step1x_edit.apps.cli.engine import parse_adapter
    from step1x_edit.models.checkpoint import convert as convert_weights
    from step1x_edit.models.checkpoint import merge_adapters_to_file

    adapters = [parse_adapter(text) for text in lora or ()]
    options: dict[str, Any] = {
        "release": release or _recorded_release(source),
        "to": to,
        "config": _read_sizes(config),
        "dtype": getattr(torch, dtype) if dtype else None,
        "force": force,
    }
    if adapters:
        written = merge_adapters_to_file(source, adapters, target, **options)
    else:
        written = convert_weights(source, target, **options)
    for path in written:
        typer.echo(f"Written: {path}")


def _recorded_release(source: Path) -> str:
    from step1x_edit.models.checkpoint import inspect_checkpoint

    report = inspect_checkpoint(source)
    if report.release is None and report.part != "vae":
        raise RequestError(
            given=f"{source}, whose release is {report.release_text}",
            expected=f"one of {', '.join(report.candidates) or 'the releases'}",
            remedy="Say with --release which one the weights belong to.",
        )
    return report.release or report.candidates[0]


def _read_sizes(path: Path | None) -> dict[str, Any] | None:
    import json

    if path is None:
        return None
    try:
        sizes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(
            given=f"the sizes {path}, which cannot be read ({error})",
            expected="a JSON file of network sizes",
            remedy="Check the path behind --config.",
        ) from error
    return {name: value for name, value in sizes.items() if not name.startswith("_")}
