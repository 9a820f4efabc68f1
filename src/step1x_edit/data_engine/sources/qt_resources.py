"""Reads Qt resource bundles (``.rcc``), in which GCompris keeps its pictures.

A bundle holds a tree of 22-byte entries (version 2 and later; 14 bytes before), a table of UTF-16 names and the files
themselves, each behind its length and possibly compressed. Source: the layout written by Qt's own ``rcc`` tool.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from step1x_edit.errors import DataError

__all__ = ["read_bundle"]

MAGIC = b"qres"
COMPRESSED, FOLDER = 1, 2
ENTRY_BYTES = {1: 14, 2: 22, 3: 22}


def read_bundle(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the path inside the bundle and the content of every file in it.

    Args:
        path: An ``.rcc`` file. Entries compressed with zlib are expanded; other compressions are not used by GCompris.

    Raises:
        DataError: The file is no resource bundle of a known version.
    """
    blob = path.read_bytes()
    version = struct.unpack_from(">I", blob, 4)[0] if blob[:4] == MAGIC else 0
    if version not in ENTRY_BYTES:
        raise DataError(
            given=f"{path} (starts with {blob[:4]!r}, version {version})",
            expected="a Qt resource bundle of version 1 to 3",
            remedy="Fetch the package again; the file may be cut short.",
        )
    yield from _walk(blob, struct.unpack_from(">III", blob, 8), ENTRY_BYTES[version], 0, "")


def _walk(
    blob: bytes, offsets: tuple[int, int, int], entry_bytes: int, node: int, prefix: str
) -> Iterator[tuple[str, bytes]]:
    tree, data, names = offsets
    entry = tree + node * entry_bytes
    flags = struct.unpack_from(">H", blob, entry + 4)[0]
    if flags & FOLDER:
        count, first = struct.unpack_from(">II", blob, entry + 6)
        for child in range(first, first + count):
            name = _name(blob, names + struct.unpack_from(">I", blob, tree + child * entry_bytes)[0])
            yield from _walk(blob, offsets, entry_bytes, child, f"{prefix}/{name}" if prefix else name)
        return
    start = data + struct.unpack_from(">I", blob, entry + 10)[0]
    size = struct.unpack_from(">I", blob, start)[0]
    content = blob[start + 4 : start + 4 + size]
    # Qt puts the expanded length in front of the zlib stream.
    yield prefix, zlib.decompress(content[4:]) if flags & COMPRESSED else content


def _name(blob: bytes, offset: int) -> str:
    length = struct.unpack_from(">H", blob, offset)[0]
    return blob[offset + 6 : offset + 6 + 2 * length].decode("utf-16-be")
