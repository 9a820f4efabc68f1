"""Safetensors files written one tensor at a time, so that converting 25 GB needs the memory of one tensor.

A file appears whole or not at all: it is written beside its place and moved there at the end.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from step1x_edit.errors import RequestError, Step1XEditError
from step1x_edit.models.checkpoint.safetensors_header import DTYPE_BYTES
from step1x_edit.models.checkpoint.stored_form import DTYPES

__all__ = ["refuse_overwrite", "replaced_file", "write_safetensors"]

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write_safetensors(
    target: Path,
    *,
    shapes: Mapping[str, tuple[int, ...]],
    tensors: Iterable[tuple[str, Tensor]],
    dtype: torch.dtype,
    metadata: Mapping[str, str],
) -> None:
    """Write tensors of one type, replacing ``target`` in one step at the end.

    Args:
        target: The file to write.
        shapes: Name → shape of everything that will be written, in the order of ``tensors``.
        tensors: Names and values; taken one by one.
        dtype: Type of all of them: fp32, fp16 or bf16.
        metadata: Text to store in the header.
    """
    name_of_type = _NAMES[dtype]
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    at = 0
    for name, shape in shapes.items():
        end = at + prod(shape) * DTYPE_BYTES[name_of_type]
        header[name] = {"dtype": name_of_type, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replaced_file(target) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for (name, tensor), (due, shape) in zip(tensors, shapes.items(), strict=True):
            assert name == due and tensor.dtype == dtype and tuple(tensor.shape) == shape, name
            file.write(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)


@contextmanager
def replaced_file(target: Path) -> Iterator[BinaryIO]:
    """Open a new file beside ``target`` that takes its place when the block ends, and vanishes when it fails.

    Raises:
        RequestError: The place cannot be written.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, Step1XEditError):
            raise
        raise RequestError(
            given=f"the target {target}, which cannot be written ({error.strerror})",
            expected="a folder with room and permission to write",
            remedy="Choose another target.",
        ) from error


def refuse_overwrite(*targets: Path, force: bool) -> None:
    """Stop before existing files would be replaced, unless that is wanted.

    Raises:
        RequestError: One of the files exists and ``force`` is false.
    """
    existing = [path for path in targets if path.exists()]
    if existing and not force:
        raise RequestError(
            given=f"the target {existing[0]}, which exists",
            expected="a new place",
            remedy="Choose another target, or allow overwriting (`--force`).",
        )
