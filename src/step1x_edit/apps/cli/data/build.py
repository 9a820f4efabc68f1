"""``step1x data build``: source pictures → a store of triplets and rejections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from step1x_edit.errors import RequestError

if TYPE_CHECKING:
    from step1x_edit.data_engine.run import RunSettings
    from step1x_edit.store import Manifest

__all__ = ["build"]

SIZES = (128, 192, 256, 512)


def build(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCES...",
            help="A pool, or pictures to make one of: folders, lists, .parquet, .tar.  [the starter pool]",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder of the store; one that is there is gone on with.")
    ] = (Path("triplets")),
    tasks: Annotated[
        str,
        typer.Option(metavar="NAME[:WEIGHT],...", help="GEdit-Bench keys of the tasks, weighted if wanted; or all."),
    ] = "all",
    count: Annotated[
        int,
        typer.Option(
            min=1, help="Attempts, over all tasks together. Each gives a triplet or a rejection with its reason."
        ),
    ] = 1000,
    size: Annotated[int, typer.Option(help="Side of the square pictures in pixels: 128, 192, 256 or 512.")] = 512,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes. They do not change what comes out.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other triplets.")] = 0,
    split: Annotated[
        Literal["train", "held_out"], typer.Option(help="Which pictures are used; training must not see held-out ones.")
    ] = "train",
    permissive_only: Annotated[
        bool, typer.Option("--permissive-only", help="Only pictures that may be passed on with a notice.")
    ] = False,
    lessons: Annotated[
        bool,
        typer.Option(
            "--lessons",
            help="Scenes for a model that can learn only so many things: seen from nearer by, and an object that is brought "
            "in always looks the same.",
        ),
    ] = False,
    keep_near_duplicates: Annotated[
        bool,
        typer.Option(
            "--keep-near-duplicates",
            help="Keep triplets that look like an earlier one of the same pictures and the same wish.",
        ),
    ] = False,
    hold_out: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="HASHES",
            help="Pictures that must not come in, such as a benchmark's: a list made by `step1x data hashes`. Repeatable.",
        ),
    ] = None,
    attempt_seconds: Annotated[
        float, typer.Option(min=1, help="An attempt that takes longer is stopped and made again at the end.")
    ] = 120.0,
    memory_gib: Annotated[float, typer.Option(min=0.5, help="An attempt that needs more is rejected.")] = 4.0,
) -> None:
    """Make triplets from source pictures. The same command goes on after a stop; a larger --count adds to a store."""
    if size not in SIZES:
        raise RequestError(given=f"the size {size}", expected="128, 192, 256 or 512", remedy="Correct --size.")
    from step1x_edit.apps.cli.data.watching import watching
    from step1x_edit.apps.settings import read_settings
    from step1x_edit.data_engine.filters.held_out import read_hash_lists
    from step1x_edit.data_engine.pool import Pool
    from step1x_edit.data_engine.run import Limits, RunSettings
    from step1x_edit.data_engine.run import build as build_store
    from step1x_edit.data_engine.run.asked_tasks import parse_tasks
    from step1x_edit.data_engine.run.hire import Hire, fingerprint, parts_at_hand

    parts, asked = read_settings().parts, parse_tasks(tasks)
    held_out = read_hash_lists(hold_out) if hold_out else None
    pool = _pool(paths or [], out, permissive_only=permissive_only, workers=workers)
    settings = RunSettings(
        tasks=asked,
        size=size,
        seed=seed,
        split=split,
        permissive_only=permissive_only,
        seen_objects=lessons,
        sources=fingerprint(Pool.open(pool)),
        experts=parts_at_hand(parts),
        near_duplicates=keep_near_duplicates,
        held_out=held_out.fingerprint if held_out else "",
    )
    with watching() as watcher:
        manifest = build_store(
            out,
            settings=settings,
            attempts=count,
            hire=Hire(pool=pool, settings=settings, parts=parts, held_out=held_out),
            workers=workers,
            limits=Limits(seconds=attempt_seconds, memory_gib=memory_gib),
            watcher=watcher,
        )
    _sum_up(out, settings, manifest)


def _pool(paths: list[str], out: Path, *, permissive_only: bool, workers: int) -> Path:
    """Return the folder of the pool that is named, or gather what is named as a pool inside the store."""
    from step1x_edit.apps.cli.data.sources import sources
    from step1x_edit.apps.settings import read_settings
    from step1x_edit.data_engine.pool import default_pool_folder, is_pool
    from step1x_edit.experts.embedded import EmbeddedExperts
    from step1x_edit.store import locked

    if not paths:
        return default_pool_folder()
    if len(paths) == 1 and is_pool(Path(paths[0])):
        return Path(paths[0])
    folder = out / "pool"
    with locked(out):
        sources(
            paths=paths,
            out=folder,
            permissive_only=permissive_only,
            list_only=False,
            mattes=EmbeddedExperts(read_settings().parts).available("matte"),
            workers=workers,
            cache=None,
        )
    return folder


def _sum_up(out: Path, settings: RunSettings, manifest: Manifest) -> None:
    from step1x_edit.apps.cli.data.summary import task_table, top_reasons
    from step1x_edit.apps.cli.failures import say

    typer.echo(task_table(manifest.kept, manifest.rejected))
    kept = sum(manifest.kept.values())
    typer.echo(f"{kept} triplets of {manifest.attempts} attempts: {out}")
    if manifest.retries:
        say(f"{manifest.retries} attempts ran out of time; the same command makes them again.")
    if not kept:
        say(f"Nothing was kept; most often: {top_reasons(manifest.rejected)}.")
    if not settings.experts:
        say("No experts' parts are here, so that filters that need them did not run; `step1x data setup` brings them.")
