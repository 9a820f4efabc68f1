"""``step1x compare``: one picture edited in several ways → one sheet."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["compare"]


def compare(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", show_default=False, help="The reference image.")],
    instruction: Annotated[
        list[str], typer.Option("-i", "--instruction", metavar="TEXT", help="The edit in words; repeat for more rows.")
    ],
    release: Annotated[list[str] | None, typer.Option("-r", "--release", help="Repeat for several.  [nano]")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeat for several.  [0]")] = None,
    lora: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH[:SCALE]", help="Repeat for several; shown beside the release without any."),
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The sheet, a PNG.")] = None,
    preset: Annotated[Literal["fast", "balanced", "best"], typer.Option(help="Time or quality.")] = "balanced",
    steps: Annotated[int | None, typer.Option(help="Denoising steps, instead of the preset's.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale; 1 is off.")] = None,
    size_level: Annotated[int | None, typer.Option(help="Side of a square with the working area, in pixels.")] = None,
    weights: Annotated[
        list[Path] | None, typer.Option(help="Weights, one for each release, if not in their usual place.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu, cuda or mps.")] = None,
    dtype: Annotated[str | None, typer.Option(help="bfloat16, float16 or float32.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=1024, help="Processor threads.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Edit one picture with several releases, seeds or adapters and put the results side by side."""
    from step1x_edit.apps.cli.comparing import run_comparison
    from step1x_edit.apps.cli.engine import Engine, parse_adapter
    from step1x_edit.apps.cli.jobs import DEFAULT_FOLDER, JobDefaults
    from step1x_edit.errors import RequestError

    releases = release or ["nano"]
    if weights and len(weights) != len(releases):
        raise RequestError(
            given=f"{len(weights)} weights for {len(releases)} releases",
            expected="one for each release, in the same order",
            remedy="Repeat --weights as often as --release.",
        )
    adapters = [(), *((parse_adapter(text),) for text in lora or ())]
    engines = [
        Engine(release=name, weights=place, adapters=chosen, device=device, dtype=dtype, threads=threads)
        for (name, place), chosen in product(zip(releases, weights or [None] * len(releases), strict=True), adapters)
    ]
    defaults = JobDefaults(
        instructions=tuple(dict.fromkeys(instruction)),
        steps=steps,
        guidance_scale=guidance,
        size_level=size_level,
        preset=preset,
    )
    target = out or DEFAULT_FOLDER / f"compare-{picture.stem}.png"
    run_comparison(picture, engines=engines, seeds=seed or [0], defaults=defaults, target=target, overwrite=force)
    typer.echo(f"Compared: {target}")
