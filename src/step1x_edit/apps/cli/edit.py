"""``step1x edit``: one picture, a folder or a job list; goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["edit"]


def edit(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", show_default=False, help="A picture, a folder of pictures, or a job list (.jsonl)."
        ),
    ],
    instruction: Annotated[
        list[str] | None,
        typer.Option("-i", "--instruction", metavar="TEXT", help="The edit in words; repeat for several edits."),
    ] = None,
    negative: Annotated[str | None, typer.Option(help="What the picture should not be.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder of the results, or the file of a single one.  [output]")
    ] = None,
    picture_format: Annotated[
        Literal["png", "webp", "jpg"] | None,
        typer.Option("--format", help="png and webp are lossless, jpg has quality 95.  [png; webp for webp]"),
    ] = None,
    release: Annotated[str, typer.Option("-r", "--release", help="See `step1x releases`.")] = "nano",
    preset: Annotated[Literal["fast", "balanced", "best"], typer.Option(help="Time or quality.")] = "balanced",
    seed: Annotated[int, typer.Option(help="Start of the noise; same seed, same picture.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Denoising steps, instead of the preset's.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale; 1 is off.")] = None,
    size_level: Annotated[int | None, typer.Option(help="Side of a square with the working area, in pixels.")] = None,
    lora: Annotated[
        list[str] | None, typer.Option(metavar="PATH[:SCALE]", help="An adapter; repeat for several.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights of the release, if not in their usual place.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu, cuda or mps.")] = None,
    dtype: Annotated[str | None, typer.Option(help="bfloat16, float16 or float32.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=1024, help="Processor threads.")] = None,
    parity: Annotated[bool, typer.Option("--parity", help="Repeat the quirks of the released code.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    sheet: Annotated[bool, typer.Option("--sheet/--no-sheet", help="Contact sheet after several edits.")] = True,
) -> None:
    """Edit a picture, a folder of pictures, or a job list.

    A line of a job list is {"image": "photo.jpg", "instruction": "make it night"}; it may also state "instructions",
    "out", "seed", "negative_instruction", "steps", "guidance_scale" and "size_level". Results that exist already with
    the same parameters are not made again.
    """
    from step1x_edit.apps.cli.engine import Engine, parse_adapter
    from step1x_edit.apps.cli.jobs import JobDefaults, plan_jobs
    from step1x_edit.apps.cli.running import run_plan

    engine = Engine(
        release=release,
        weights=weights,
        device=device,
        dtype=dtype,
        threads=threads,
        adapters=tuple(parse_adapter(text) for text in lora or ()),
        parity=parity,
    )
    defaults = JobDefaults(
        instructions=tuple(instruction or ()),
        negative_instruction=negative,
        seed=seed,
        steps=steps,
        guidance_scale=guidance,
        size_level=size_level,
        preset=preset,
        picture_format=picture_format,
    )
    run_plan(plan_jobs(source, out=out, defaults=defaults), engine, overwrite=force, sheet=sheet)
