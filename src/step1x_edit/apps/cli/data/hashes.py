"""``step1x data hashes``: pictures of a benchmark → a list of hashes by which builds leave them out."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["hashes"]


def hashes(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURES...", help="Folders, lists (.txt, .csv, .jsonl), .parquet, .tar (WebDataset), pools."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write: a line a picture, hash and name.")] = (
        Path("hashes.txt")
    ),
) -> None:
    """Write the hashes of pictures that must not come into training, for `step1x data build --hold-out`."""
    from step1x_edit.data_engine.filters.held_out import hash_pictures, write_hash_list
    from step1x_edit.data_engine.sources.opening import open_source

    known = hash_pictures(chain.from_iterable([open_source(path) for path in pictures]))
    write_hash_list(known, out)
    typer.echo(f"{len(known.hashes)} pictures: {out}")
