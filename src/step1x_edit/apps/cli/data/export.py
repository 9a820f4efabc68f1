"""``step1x data export``: a store in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["export"]


def export(
    folder: Annotated[Path, typer.Argument(help="Folder of a store.")],
    to: Annotated[
        Literal["hf", "webdataset", "official"],
        typer.Option(
            help="hf: Parquet files of up to 512 MB with a card, ready to upload. webdataset: tar files. "
            "official: picture files and the JSON map of the released LoRA trainer."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="A new folder.")],
) -> None:
    """Write a store in another format. Pictures stay as they are."""
    from step1x_edit.store.exports import export_store

    triplets = export_store(folder, out, form=to)
    typer.echo(f"Written: {out} ({triplets} triplets)")
