"""Reads pictures out of WebDataset shards: tar files in which members of one sample share the name before the dot."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

from step1x_edit.data_engine.sources.metadata import known_from
from step1x_edit.data_engine.sources.offers import MAX_BYTES, Candidate, Offer, Unreadable

__all__ = ["read_webdataset"]

PICTURES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff")
LONGEST_TEXT = 1_000_000


def read_webdataset(path: Path) -> Iterator[Offer]:
    """Yield the pictures of a shard in its order; one sample is held in memory at a time.

    A ``.json`` beside a picture may say ``licence``, ``author``, ``label``, ``label_zh`` and ``dataset``. Nothing is
    written to disk, so names in the archive cannot do harm. A shard that breaks off gives what stood before.
    """
    sample: dict[str, bytes | str] = {}
    current = ""
    try:
        with tarfile.open(path, mode="r|*") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                key, _, suffix = member.name.rpartition("/")[2].partition(".")
                key = f"{member.name.rpartition('/')[0]}/{key}".lstrip("/")
                if key != current:
                    yield from _sample(path, current, sample)
                    sample, current = {}, key
                sample[suffix.lower()] = _content(archive, member)
    except (tarfile.TarError, EOFError, OSError) as error:
        yield from _sample(path, current, sample)
        reason = f"The archive breaks off ({' '.join(str(error).split())})."
        yield Unreadable(uri=f"{path.name}/{current}...", dataset=path.parent.name, reason=reason)
        return
    yield from _sample(path, current, sample)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | str:
    """Return a member's bytes, or the reason why they are not read."""
    if member.size > MAX_BYTES:
        return f"The member has {member.size / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} are read."
    file = archive.extractfile(member)
    return file.read() if file else "The member cannot be read."


def _sample(path: Path, key: str, members: dict[str, bytes | str]) -> Iterator[Offer]:
    text = members.get("json", b"")
    known = known_from(_object(text), dataset=path.parent.name)
    for suffix, data in members.items():
        if suffix.rpartition(".")[2] not in PICTURES:
            continue
        uri = f"{path.name}/{key}.{suffix}"
        if isinstance(data, str):
            yield Unreadable(uri=uri, dataset=known.dataset, reason=data)
        else:
            yield Candidate(uri=uri, data=data, known=known)


def _object(text: bytes | str) -> dict[str, object]:
    if isinstance(text, str) or len(text) > LONGEST_TEXT:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
