"""Records ↔ rows: the columns of a store are the fields of the records, nested as they are."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from step1x_edit.errors import MissingExtra
from step1x_edit.schema.triplet import EditTriplet, Rejection

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PICTURES", "arrow", "compression", "index_schema", "load_arrow", "rejection_schema", "triplet_schema"]

PICTURES = ("source_image", "target_image")
"""Columns of the two pictures: the reference image and the target."""
_NOT_IN_INDEX = "mask"
_PLAIN = {bool: "bool", int: "int64", float: "double", str: "string"}


def arrow() -> Any:
    """Return pyarrow.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as missing:
        raise MissingExtra(
            given="an installation without pyarrow",
            expected="the extra `data`",
            remedy="Install it with `pip install step1x-edit[data]`.",
        ) from missing
    return pyarrow


def load_arrow() -> None:
    """Import ahead of time what the first table imports (pandas too, where it is installed): up to a second.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    arrow().array([])


@cache
def triplet_schema() -> pa.Schema:
    """Return the columns of triplets: those of :class:`EditTriplet`, and the pictures as ``datasets`` shows them."""
    pa = arrow()
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [*_fields(EditTriplet), *((name, picture) for name in PICTURES)]
    features = {name: {"_type": "Image"} for name in PICTURES}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


@cache
def index_schema() -> pa.Schema:
    """Return the columns of the index: no pictures and no mask, but the shard and the row where they are."""
    pa = arrow()
    fields = [field for field in _fields(EditTriplet) if field[0] != _NOT_IN_INDEX]
    return pa.schema([*fields, ("shard", pa.string()), ("row", pa.int64())])


@cache
def rejection_schema() -> pa.Schema:
    """Return the columns of rejections: those of :class:`Rejection`."""
    return arrow().schema(_fields(Rejection))


def compression(schema: pa.Schema) -> dict[str, str]:
    """Return how each column of a file is compressed: all but pictures, which are compressed files already."""
    pictures = {f"{name}.bytes" for name in PICTURES}
    paths = [path for field in schema for path in _leaves(field.name, field.type)]
    return {path: "zstd" for path in paths if path not in pictures}


def _leaves(path: str, kind: pa.DataType) -> list[str]:
    """Return Parquet's names of the columns below one of Arrow's."""
    types = arrow().types
    if types.is_struct(kind):
        return [leaf for field in kind for leaf in _leaves(f"{path}.{field.name}", field.type)]
    return _leaves(f"{path}.list.element", kind.value_type) if types.is_list(kind) else [path]


def _fields(record: type[BaseModel]) -> list[tuple[str, pa.DataType]]:
    return [(name, _arrow_type(field.annotation)) for name, field in record.model_fields.items()]


def _arrow_type(annotation: Any) -> pa.DataType:
    pa = arrow()
    if get_origin(annotation) in (Union, UnionType):
        # Every column may be empty in Arrow, so `X | None` is stored as X.
        (annotation,) = (part for part in get_args(annotation) if part is not NoneType)
    if get_origin(annotation) is tuple:
        return pa.list_(_arrow_type(get_args(annotation)[0]))
    if get_origin(annotation) is Literal or issubclass(annotation, StrEnum):
        return pa.string()
    if issubclass(annotation, BaseModel):
        return pa.struct(_fields(annotation))
    return pa.type_for_alias(_PLAIN[annotation])
