"""The head of a safetensors file: what it holds, read without loading a number and checked to the byte.

Everything that is not safetensors is refused by content, whatever its name: a pickle can run code when opened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from operator import index
from pathlib import Path
from typing import Any

from step1x_edit.errors import CheckpointError, MissingRelease

__all__ = ["DTYPE_BYTES", "Header", "TensorInfo", "read_header"]

DTYPE_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
"""Bytes of one number, for the safetensors names that can occur in a weight file."""

_LENGTH_BYTES = 8
_LARGEST_HEADER = 100_000_000
"""Limit of the safetensors format itself."""

_OTHER_FORMATS = (
    (b"PK\x03\x04", "a zip archive, the form of PyTorch's pickle files"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"GGUF", "a GGUF file"),
    (b"version https://git-lfs", "a Git LFS pointer, which stands for the file without holding it"),
    (b"<", "a web page or XML"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """One tensor as its file describes it."""

    dtype: str
    """The safetensors name, such as ``BF16`` or ``F8_E4M3``."""
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a safetensors file says it holds."""

    path: Path
    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """Read and check the head of a safetensors file.

    Args:
        path: The file. Only its first bytes are read.

    Raises:
        MissingRelease: There is no such file.
        CheckpointError: The file is something else, its header is broken, or bytes are missing or too many.
    """
    if not path.is_file():
        raise MissingRelease(
            given=f"the weight file {path}",
            expected="a file that exists",
            remedy="Check the path; `step1x fetch RELEASE` downloads published weights.",
        )
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LENGTH_BYTES + 24)
        _refuse_other_formats(path, start)
        length = int.from_bytes(start[:_LENGTH_BYTES], "little")
        if len(start) < _LENGTH_BYTES or length > _LARGEST_HEADER:
            raise _broken(path, "it does not begin with the length of a safetensors header")
        if _LENGTH_BYTES + length > size:
            raise _broken(path, f"its header alone needs {_LENGTH_BYTES + length:,} bytes and the file has {size:,}")
        file.seek(_LENGTH_BYTES)
        text = file.read(length)
    tensors, metadata, end = _parse(path, text)
    expected = _LENGTH_BYTES + length + end
    if size != expected:
        raise _broken(path, f"its header describes {expected:,} bytes and the file has {size:,}")
    return Header(path=path, tensors=tensors, metadata=metadata)


def _parse(path: Path, text: bytes) -> tuple[dict[str, TensorInfo], dict[str, str], int]:
    try:
        table: dict[str, Any] = json.loads(text)
        metadata = table.pop("__metadata__", {})
        tensors, spans = {}, []
        for name, entry in table.items():
            begin, end = map(index, entry["data_offsets"])
            tensors[name] = TensorInfo(dtype=entry["dtype"], shape=tuple(map(index, entry["shape"])))
            spans.append((begin, end, name))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(path, f"its header cannot be read ({error})") from error
    return tensors, metadata, _check_spans(path, tensors, spans)


def _check_spans(path: Path, tensors: dict[str, TensorInfo], spans: list[tuple[int, int, str]]) -> int:
    """Return where the last tensor ends; the tensors must follow each other without gap or overlap."""
    at = 0
    for begin, end, name in sorted(spans):
        info = tensors[name]
        if info.dtype not in DTYPE_BYTES:
            raise _broken(path, f"the tensor {name} has the unknown type {info.dtype}")
        if begin != at or end - begin != info.numbers * DTYPE_BYTES[info.dtype]:
            raise _broken(path, f"the tensor {name} does not fill the bytes its header gives it")
        at = end
    return at


def _refuse_other_formats(path: Path, start: bytes) -> None:
    for signature, what in _OTHER_FORMATS:
        if start.startswith(signature):
            raise CheckpointError(
                given=f"{path}, which is {what}",
                expected="a safetensors file",
                remedy="Use the safetensors form of the weights; other forms are never opened, some can run code.",
            )


def _broken(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        given=f"{path}, which is not a whole safetensors file: {why}",
        expected="a complete safetensors file",
        remedy="Download or copy the file again; `step1x verify RELEASE` names every file that is broken.",
    )
