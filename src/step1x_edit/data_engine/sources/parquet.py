"""Reads pictures out of Parquet files: a column of image bytes, as ``datasets`` writes it or plain, with metadata."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from step1x_edit.data_engine.sources.metadata import METADATA_FIELDS, known_from
from step1x_edit.data_engine.sources.offers import MAX_BYTES, Candidate, Offer, Unreadable
from step1x_edit.errors import DataError, MissingExtra

__all__ = ["read_parquet"]

IMAGE_NAMES = ("image", "img", "picture", "jpg", "png", "webp", "bytes", "image_bytes")
ROWS_AT_ONCE = 16


def read_parquet(path: Path) -> Iterator[Offer]:
    """Yield the pictures of a Parquet file, row group by row group.

    The image column is of bytes, or a struct with a field ``bytes`` (Hugging Face's form); with several such columns the
    one with a usual name is taken.

    Raises:
        MissingExtra: pyarrow is not installed.
        DataError: The file has no image column.
    """
    try:
        parquet = import_module("pyarrow.parquet")
        arrow = import_module("pyarrow")
    except ImportError as missing:
        raise MissingExtra(
            given="an installation without pyarrow",
            expected="the extra `data`",
            remedy="Install it with `pip install step1x-edit[data]`.",
        ) from missing
    try:
        file = parquet.ParquetFile(path)
    except (OSError, arrow.ArrowInvalid) as error:
        reason = f"The Parquet file cannot be read ({str(error).splitlines()[0]})."
        yield Unreadable(uri=path.name, dataset=path.parent.name, reason=reason)
        return
    yield from _rows(file, path, arrow)


def _rows(file: Any, path: Path, arrow: Any) -> Iterator[Offer]:
    column = _image_column(file.schema_arrow, path, arrow)
    columns = [column, *(name for name in file.schema_arrow.names if name in METADATA_FIELDS)]
    number = 0
    for group in range(file.num_row_groups):
        try:
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, row_groups=[group], columns=columns):
                for row in batch.to_pylist():
                    yield _offer(row, column, uri=f"{path.name}#{number}", dataset=path.parent.name)
                    number += 1
        except (OSError, arrow.ArrowInvalid) as error:
            reason = f"Row group {group} cannot be read ({str(error).splitlines()[0]})."
            yield Unreadable(uri=f"{path.name}#group{group}", dataset=path.parent.name, reason=reason)


def _offer(row: dict[str, Any], column: str, *, uri: str, dataset: str) -> Offer:
    value = row[column]
    data = value.get("bytes") if isinstance(value, dict) else value
    known = known_from(row, dataset=dataset)
    if not data:
        return Unreadable(uri=uri, dataset=known.dataset, reason="The row holds no image bytes.")
    if len(data) > MAX_BYTES:
        reason = f"The image has {len(data) / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} are read."
        return Unreadable(uri=uri, dataset=known.dataset, reason=reason)
    return Candidate(uri=uri, data=data, known=known)


def _image_column(schema: Any, path: Path, arrow: Any) -> str:
    binary = (arrow.types.is_binary, arrow.types.is_large_binary)

    def holds_bytes(kind: Any) -> bool:
        if arrow.types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0
        return any(test(kind) for test in binary)

    able = [field.name for field in schema if holds_bytes(field.type)]
    if not able:
        raise DataError(
            given=f"{path} with the columns {', '.join(schema.names)}",
            expected="a column of image bytes",
            remedy=f"Store the files' bytes in a binary column named {IMAGE_NAMES[0]!r}.",
        )
    return next((name for name in IMAGE_NAMES if name in able), able[0])
