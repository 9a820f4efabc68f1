"""The cold pass: whatever a source offers → a pool, resumable, and the same for any number of workers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from step1x_edit import __version__
from step1x_edit.data_engine.pool import Picture
from step1x_edit.data_engine.sources.assembly import REJECTIONS, Listed, rejection, write_pool
from step1x_edit.data_engine.sources.digest import Entry, Limits
from step1x_edit.data_engine.sources.offers import Known, Offer, Pooled, Unreadable
from step1x_edit.data_engine.sources.pixels import cropped_to_matte, reduced
from step1x_edit.data_engine.sources.shelf import Refused, Shelf
from step1x_edit.data_engine.sources.workers import ExpertPass, Task, work_through
from step1x_edit.errors import DataError
from step1x_edit.schema.triplet import Rejection
from step1x_edit.store.lock import locked

__all__ = ["HELD_OUT_PERCENT", "Ingested", "ingest"]

HELD_OUT_PERCENT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What a cold pass gave."""

    folder: Path
    offered: int
    """Files that the sources named; each is in the pool or among the rejections."""
    files: int
    """Files in the pool; one can give a photograph, its subject and a cut-out."""
    kinds: dict[str, int]
    """Pictures of the pool by kind; "scene" counts those photographs again that may stand behind an object."""
    rejected: int


def ingest(
    offers: Iterable[Offer],
    folder: Path,
    *,
    limits: Limits | None = None,
    held_out_percent: int = HELD_OUT_PERCENT,
    workers: int = 1,
    expert_pass: ExpertPass | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Ingested:
    """Read pictures and write them as a pool.

    A run that was killed goes on where it stopped: the sources are read again, but no finished picture is decoded
    again. Memory holds the manifest and a few pictures per worker.

    Args:
        offers: What the sources hold; see :func:`open_source`.
        folder: Where the pool goes: manifest, pixels and ``rejections.jsonl``.
        limits: Sizes that are kept.
        held_out_percent: Share of files that training shall not see, 0 to 100; see :func:`split_of`.
        workers: Processes that decode.
        expert_pass: Makes mattes of photographs, to find subjects and scenes; ``None`` leaves photographs as they are.
        on_progress: Called with the number of files looked at so far.

    Returns:
        Counts; ``offered`` equals files in the pool plus rejections.

    Raises:
        DataError: No picture can be used, or the disk is full.
        RequestError: The folder cannot be written, or another process is writing there.
        MissingExtra: A part of the expert pass is absent.
    """
    limits = limits or Limits()
    try:
        with locked(folder):
            shelf = Shelf(folder)
            book = _Book(limits, expert_pass, on_progress or (lambda _: None))
            work_through(book.tasks(offers, shelf), shelf, workers=workers, limits=limits, expert_pass=expert_pass)
            pictures = write_pool(folder, shelf, book.listed.values(), book.refused, held_out_percent=held_out_percent)
            if pictures:
                shelf.clear()
    except OSError as error:
        raise DataError(
            given=f"the pool {folder}, which cannot be written ({error.strerror or error})",
            expected="a folder with enough room",
            remedy="Make room or choose another folder, then run the same command: finished pictures are kept.",
        ) from error
    if not pictures:
        _none_usable(folder, book)
    return _counts(folder, pictures, book)


class _Book:
    """Keeps account of what was offered: each content once, the rest refused."""

    def __init__(self, limits: Limits, expert_pass: ExpertPass | None, on_progress: Callable[[int], None]) -> None:
        self.listed: dict[str, Listed] = {}
        self.refused: list[Rejection] = []
        self.offered = 0
        self._settings = f"{__version__} {limits} {expert_pass.version if expert_pass else None}"
        self._limits = limits
        self._on_progress = on_progress

    def tasks(self, offers: Iterable[Offer], shelf: Shelf) -> Iterator[Task]:
        """Enter every offer and yield those that are still to be decoded."""
        for offer in offers:
            self.offered += 1
            self._on_progress(self.offered)
            if isinstance(offer, Unreadable):
                known = Known(dataset=offer.dataset)
                self.refused.append(rejection(offer.uri, known, Refused(stage="reading", reason=offer.reason)))
            elif isinstance(offer, Pooled):
                one = self._listed(_pool_facts(offer), offer.pictures[0].uri, offer.pictures[0].sha256)
                if self._enter(one) and one.key not in shelf:
                    shelf.put(one.key, tuple(_pool_entries(offer, self._limits)))
            else:
                one = self._listed(offer.known, offer.uri, hashlib.sha256(offer.data).hexdigest())
                if self._enter(one) and one.key not in shelf:
                    yield Task(key=one.key, data=offer.data, known=offer.known)

    def _listed(self, known: Known, uri: str, sha256: str) -> Listed:
        hints = [known.kind, known.scene, known.label, known.label_zh]
        key = hashlib.sha256(f"{sha256} {hints} {self._settings}".encode()).hexdigest()[:32]
        return Listed(sha256=sha256, key=key, uri=uri, known=known)

    def _enter(self, one: Listed) -> bool:
        """Enter a file; of equal ones that with the first name stays, whichever comes first. Tell if this one did."""
        before = self.listed.get(one.sha256)
        first, second = (one, before) if before is None or _order(one) < _order(before) else (before, one)
        self.listed[one.sha256] = first
        if second is not None:
            refused = Refused(stage="reading", reason=f"The same file as {first.uri}.")
            self.refused.append(rejection(second.uri, second.known, refused, sha256=second.sha256))
        return first is one


def _order(one: Listed) -> tuple[str, str, str]:
    return one.known.dataset, one.uri, one.key


def _pool_facts(offer: Pooled) -> Known:
    first = offer.pictures[0]
    names = ("dataset", "version", "licence", "author", "label", "label_zh", "kind", "scene")
    return Known(**{name: getattr(first, name) for name in names})


def _pool_entries(offer: Pooled, limits: Limits) -> Iterator[Entry]:
    for picture, pixels in zip(offer.pictures, offer.pixels, strict=True):
        stored = Image.fromarray(np.ascontiguousarray(pixels))
        kept = cropped_to_matte(pixels, limits.short_side) if picture.kind == "cutout" else None
        yield Entry(
            kind=picture.kind,
            scene=picture.scene,
            label=picture.label,
            label_zh=picture.label_zh,
            phash=picture.phash,
            pixels=np.asarray(reduced(stored, limits.short_side)) if kept is None else kept,
        )


def _none_usable(folder: Path, book: _Book) -> None:
    reasons = Counter(one.reason.partition(": ")[2] for one in book.refused).most_common(1)
    raise DataError(
        given=f"{book.offered} files, none of which can be used"
        + (f" (most often: {reasons[0][0]})" if reasons else ""),
        expected="at least one picture",
        remedy=f"See {folder / REJECTIONS} for the reason of each.",
    )


def _counts(folder: Path, pictures: list[Picture], book: _Book) -> Ingested:
    kinds = Counter(picture.kind for picture in pictures)
    scenes = sum(picture.scene for picture in pictures)
    return Ingested(
        folder=folder,
        offered=book.offered,
        files=len({picture.sha256 for picture in pictures}),
        kinds={**dict(sorted(kinds.items())), "scene": scenes},
        rejected=len(book.refused),
    )
