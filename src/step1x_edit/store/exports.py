"""A store in other people's forms: Hugging Face data sets, WebDataset, and the JSON map of the official trainer.

Pictures are copied as the files they are; nothing is encoded again.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Literal, TypeVar

from step1x_edit.errors import RequestError
from step1x_edit.store.card import data_card
from step1x_edit.store.columns import arrow, triplet_schema
from step1x_edit.store.folder import read_store_info
from step1x_edit.store.picture_codec import SUFFIX
from step1x_edit.store.reading import read_encoded
from step1x_edit.store.shard import PREFIXES, ROW_GROUP, EncodedTriplet, disk_errors, triplets_path

__all__ = ["EXPORTS", "ExportForm", "export_store"]

ExportForm = Literal["hf", "webdataset", "official"]
Item = TypeVar("Item")
LARGEST = 512 << 20
"""Bytes of a file."""
OFFICIAL_JSON = "metadata.json"


def export_store(folder: Path, out: Path, *, form: ExportForm) -> int:
    """Write a store in another form.

    Args:
        folder: The store.
        out: New folder; it appears when everything is written.
        form: ``hf`` (Parquet files of up to 512 MB with a card), ``webdataset`` (tar files of up to 512 MB), or
            ``official`` (picture files and a JSON map: target path → reference path and caption).

    Returns:
        The number of triplets.

    Raises:
        DataError: There is no store, or the disk is full.
        RequestError: ``out`` exists.
    """
    triplets = sum(read_store_info(folder).kept.values())
    if out.exists():
        raise RequestError(
            given=f"the folder {out}, which exists", expected="a new one", remedy="Choose another --out."
        )
    draft = out.with_name(f".{out.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    with disk_errors(out):
        try:
            draft.mkdir(parents=True)
            EXPORTS[form](folder, draft, out)
            draft.replace(out)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return triplets


def _to_hf(folder: Path, draft: Path, _out: Path) -> None:
    pa, info = arrow(), read_store_info(folder)
    (draft / "data").mkdir()
    for split, prefix in PREFIXES.items():
        paths = [triplets_path(folder, one.number, split) for one in info.shards if one.split == split]
        numbered = list(_numbered(paths, lambda path: path.stat().st_size))
        for number, group in groupby(numbered, itemgetter(0)):
            name = f"{prefix}-{number:05}-of-{numbered[-1][0] + 1:05}.parquet"
            with pa.parquet.ParquetWriter(
                draft / "data" / name,
                triplet_schema(),
                compression="zstd",
                use_dictionary=False,
                write_statistics=False,
            ) as file:
                for _, path in group:
                    with pa.parquet.ParquetFile(path) as shard:
                        for batch in shard.iter_batches(batch_size=ROW_GROUP):
                            file.write_batch(batch)
    (draft / "README.md").write_text(data_card(folder), encoding="utf-8")


def _to_webdataset(folder: Path, draft: Path, _out: Path) -> None:
    numbered = _numbered(read_encoded(folder), lambda one: len(one.reference) + len(one.target))
    for number, group in groupby(numbered, itemgetter(0)):
        with tarfile.open(draft / f"{number:05}.tar", "w") as tar:
            for _, one in group:
                for suffix, data in _members(one):
                    entry = tarfile.TarInfo(f"{one.record.uid}.{suffix}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))


def _members(one: EncodedTriplet) -> Iterator[tuple[str, bytes]]:
    yield "json", one.record.model_dump_json().encode()
    yield f"reference.{SUFFIX}", one.reference
    yield f"target.{SUFFIX}", one.target
    yield "txt", one.record.instruction_en.encode()


def _to_official(folder: Path, draft: Path, out: Path) -> None:
    table, home = {}, out.resolve()
    for name in ("target", "reference"):
        (draft / name).mkdir()
    for one in read_encoded(folder):
        file = f"{one.record.uid}.{SUFFIX}"
        (draft / "reference" / file).write_bytes(one.reference)
        (draft / "target" / file).write_bytes(one.target)
        # The trainer opens paths as they stand, wherever it is started.
        table[str(home / "target" / file)] = {
            "ref_image_path": str(home / "reference" / file),
            "caption": one.record.instruction_en,
        }
    (draft / OFFICIAL_JSON).write_text(json.dumps(table, indent=1, ensure_ascii=False), encoding="utf-8")


def _numbered(items: Iterable[Item], size: Callable[[Item], int]) -> Iterator[tuple[int, Item]]:
    """Number items by the file they go to: files of no more than :data:`LARGEST` bytes, or of one larger item."""
    number, total = 0, 0
    for item in items:
        if total and total + size(item) > LARGEST:
            number, total = number + 1, 0
        total += size(item)
        yield number, item


EXPORTS: dict[ExportForm, Callable[[Path, Path, Path], None]] = {
    "hf": _to_hf,
    "webdataset": _to_webdataset,
    "official": _to_official,
}
