"""Opens whatever a user names as a source of pictures; what it is, its path says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from step1x_edit.data_engine.pool import Picture, Pool, is_pool
from step1x_edit.data_engine.sources.folder import PICTURE_SUFFIXES, looks_like_picture, read_folder, read_one
from step1x_edit.data_engine.sources.list_file import LIST_SUFFIXES, read_list
from step1x_edit.data_engine.sources.offers import Known, Offer, Pooled
from step1x_edit.data_engine.sources.parquet import read_parquet
from step1x_edit.data_engine.sources.webdataset import read_webdataset
from step1x_edit.errors import DataError

__all__ = ["open_source", "read_pool"]


def open_source(text: str) -> Iterator[Offer]:
    """Open a folder, a list, a Parquet file, a WebDataset shard, a pool or a single picture.

    Args:
        text: The path as the user typed it.

    Returns:
        What it holds, read as it is asked for.

    Raises:
        DataError: There is nothing at the path, or nothing known; while reading: it holds no picture.
    """
    path = Path(text).expanduser()
    if not path.exists():
        raise DataError(given=f"the source {path}", expected="a file or folder", remedy="Check the path.")
    return _not_empty(path, _offers(path))


def read_pool(folder: Path) -> Iterator[Offer]:
    """Yield the pictures of a pool with everything known about them.

    Raises:
        DataError: The pool is broken.
    """
    pool = Pool.open(folder)
    by_file: dict[str, list[Picture]] = {}
    for picture in pool.pictures:
        by_file.setdefault(picture.sha256, []).append(picture)
    for pictures in by_file.values():
        yield Pooled(pictures=tuple(pictures), pixels=tuple(pool.image(picture) for picture in pictures))


def _offers(path: Path) -> Iterator[Offer]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if path.is_dir():
        return read_pool(path) if is_pool(path) else read_folder(path)
    if suffixes[-1:] == [".parquet"]:
        return read_parquet(path)
    if ".tar" in suffixes or suffixes[-1:] == [".tgz"]:
        return read_webdataset(path)
    if suffixes[-1:] in [[suffix] for suffix in LIST_SUFFIXES]:
        return read_list(path)
    if suffixes[-1:] in [[suffix] for suffix in PICTURE_SUFFIXES] or looks_like_picture(path):
        return iter([read_one(path, Known(dataset=path.parent.name))])
    raise DataError(
        given=f"the source {path}",
        expected="a folder, a list (.txt, .csv, .jsonl), .parquet, .tar, a pool or a picture",
        remedy="Give the file the suffix of what it is.",
    )


def _not_empty(path: Path, offers: Iterator[Offer]) -> Iterator[Offer]:
    first = next(offers, None)
    if first is None:
        raise DataError(
            given=f"the source {path}, which holds no picture",
            expected="at least one PNG, JPEG or WebP",
            remedy="Check the path; hidden files are left out.",
        )
    yield first
    yield from offers
