"""``step1x data card``: the data card of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["card"]


def card(
    folder: Annotated[Path, typer.Argument(help="Folder of a store.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write.  [README.md in the store]")] = None,
) -> None:
    """Write the data card of a store: sources, licences, counts, filters, limits."""
    from step1x_edit.store.card import data_card
    from step1x_edit.store.shard import written_whole

    path = out or folder / "README.md"
    text = data_card(folder)
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")
    typer.echo(f"Written: {path}")
