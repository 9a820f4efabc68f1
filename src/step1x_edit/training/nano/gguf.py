"""Reads GGUF files with numpy alone: the header, the metadata and the few tensor types that nano's source uses.

The layout is that of the GGUF specification, version 3: little-endian; a table of key-values, a table of tensors, then
the tensors at aligned offsets. Dimensions are written fastest first, so they are reversed here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from step1x_edit.errors import DataError

__all__ = ["GgufFile", "read_gguf"]

BLOCK = 32
"""Weights that share one scale in the quantised types."""
ALIGNMENT = 32
"""Bytes; the specification's default, which the metadata of our source does not change."""
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
F32, F16, Q4_1, Q8_0 = 0, 1, 3, 8
Q4_1_BLOCK = np.dtype([("scale", "<f2"), ("minimum", "<f2"), ("nibbles", "u1", BLOCK // 2)])
Q8_0_BLOCK = np.dtype([("scale", "<f2"), ("values", "i1", BLOCK)])


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFile:
    """An open GGUF file: its metadata, and its tensors on request."""

    data: np.ndarray
    """The file's bytes, mapped."""
    metadata: dict[str, Any]
    table: dict[str, tuple[tuple[int, ...], int, int]] = field(repr=False)
    """Name to (shape, type, first byte)."""

    def tensor(self, name: str) -> np.ndarray:
        """Read one tensor, dequantised.

        Args:
            name: GGUF's name, such as ``blk.0.attn_q.weight``.

        Returns:
            float32, rows first, exactly what the stored blocks mean.

        Raises:
            DataError: The file has no such tensor, or it is of a type not read here.
        """
        if name not in self.table:
            raise DataError(given=f"tensor {name}", expected="a name in the file", remedy="Use the pinned source file.")
        shape, kind, start = self.table[name]
        return _decode(self.data[start:], kind, prod(shape)).reshape(shape)


def read_gguf(path: Path) -> GgufFile:
    """Open a GGUF file of version 3.

    Args:
        path: The file; it stays mapped, not copied.

    Returns:
        Metadata and a way to read each tensor.

    Raises:
        DataError: The file does not begin as GGUF version 3 does.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    cursor = _Cursor(data)
    if bytes(data[:4]) != b"GGUF" or cursor.scalars("<4xI")[0] != 3:
        raise DataError(given=str(path), expected="a GGUF file of version 3", remedy="Use the pinned source file.")
    tensors, pairs = cursor.scalars("<QQ")
    metadata = {cursor.string(): cursor.value(cursor.scalars("<I")[0]) for _ in range(pairs)}
    entries = [cursor.tensor_entry() for _ in range(tensors)]
    base = -(-cursor.position // ALIGNMENT) * ALIGNMENT
    table = {name: (shape, kind, base + offset) for name, shape, kind, offset in entries}
    return GgufFile(data=data, metadata=metadata, table=table)


class _Cursor:
    """Walks through the header."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data
        self.position = 0

    def scalars(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(layout, self.data.data, self.position)
        self.position += struct.calcsize(layout)
        return values

    def string(self) -> str:
        (length,) = self.scalars("<Q")
        start, self.position = self.position, self.position + length
        return bytes(self.data[start : self.position]).decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            item, length = self.scalars("<IQ")
            return [self.value(item) for _ in range(length)]
        return self.scalars("<" + SCALARS[kind])[0]

    def tensor_entry(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self.string()
        (dimensions,) = self.scalars("<I")
        shape = self.scalars(f"<{dimensions}Q")[::-1]
        kind, offset = self.scalars("<IQ")
        return name, shape, kind, offset


def _decode(data: np.ndarray, kind: int, count: int) -> np.ndarray:
    if kind in (F32, F16):
        return np.frombuffer(data, "<f4" if kind == F32 else "<f2", count).astype(np.float32)
    if kind == Q8_0:
        blocks = np.frombuffer(data, Q8_0_BLOCK, count // BLOCK)
        return blocks["values"] * blocks["scale"].astype(np.float32)[:, None]
    if kind == Q4_1:
        blocks = np.frombuffer(data, Q4_1_BLOCK, count // BLOCK)
        nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1)
        scale, minimum = (blocks[part].astype(np.float32)[:, None] for part in ("scale", "minimum"))
        return nibbles * scale + minimum
    raise DataError(
        given=f"tensor type {kind}", expected="F32, F16, Q4_1 or Q8_0", remedy="Use the pinned source file."
    )
