"""``step1x bench run``: an editor over a suite → a table, one HTML page and the figures as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["run"]


def run(
    suite: Annotated[
        str, typer.Option(metavar="NAME|FOLDER", help="A suite in the package, or a store of triplets.")
    ] = "mini-ci",
    editor: Annotated[
        str, typer.Option(help="A release, `identity` (leaves pictures alone) or `classical` (rules, no network).")
    ] = "nano",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for pictures and report.  [output/bench/SUITE-EDITOR]")
    ] = None,
    language: Annotated[Literal["en", "zh"], typer.Option(help="Language of the instructions.")] = "en",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first case; each case adds its number.")] = 0,
    preset: Annotated[Literal["fast", "balanced", "best"], typer.Option(help="Time or quality.")] = "balanced",
    weights: Annotated[Path | None, typer.Option(help="Weights, if not in their usual place.")] = None,
    lora: Annotated[list[str] | None, typer.Option(metavar="PATH[:SCALE]", help="Adapter; repeat for several.")] = None,
    parts: Annotated[
        Path | None, typer.Option(help="Folder of expert parts (`step1x data setup`), if not in its usual place.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu, cuda or mps.")] = None,
    dtype: Annotated[str | None, typer.Option(help="bfloat16, float16 or float32.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=1024, help="Processor threads.")] = None,
) -> None:
    """Run an editor over a suite with known targets. A stopped run goes on where it was."""
    from step1x_edit.apps.cli.bench.running import BenchOrder, run_bench
    from step1x_edit.apps.cli.engine import Engine, parse_adapter
    from step1x_edit.benchmark.editors import SIMPLE_EDITORS

    engine = None
    if editor not in SIMPLE_EDITORS:
        adapters = tuple(parse_adapter(text) for text in lora or ())
        engine = Engine(release=editor, weights=weights, adapters=adapters, device=device, dtype=dtype, threads=threads)
    order = BenchOrder(
        suite=suite,
        editor=editor,
        engine=engine,
        out=out or Path("output/bench") / f"{Path(suite).name}-{editor}{'-zh' if language == 'zh' else ''}",
        language=language,
        seed=seed,
        preset=preset,
        parts=parts,
    )
    run_bench(order)
