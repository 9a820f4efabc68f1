"""Fetches packages from public registries and unpacks them, without installing anything.

Each registry is asked through its own client (``apt-get``, ``npm``, ``pip``), so mirrors and proxies set up on the
machine are honoured. No code of a package is run.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from step1x_edit.errors import DataError

__all__ = ["Package", "fetch_archive", "unpack_archive"]

Registry = Literal["debian", "npm", "pypi"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package of a registry, and what its files may be used for."""

    name: str
    """Name in the registry."""
    registry: Registry
    version: str
    """Exact version; for Debian with epoch and revision."""
    licence: str
    """Licence as the package states it."""


def fetch_archive(package: Package, folder: Path) -> Path:
    """Return a package's archive, fetched unless ``folder`` holds it already.

    Args:
        package: What to fetch.
        folder: Where archives are kept.

    Raises:
        DataError: The registry's client failed, or gave no archive.
    """
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


def unpack_archive(archive: Path, folder: Path) -> None:
    """Unpack a ``.deb``, ``.tgz`` or ``.whl`` archive into a folder.

    Raises:
        DataError: ``dpkg-deb`` is absent or refuses the archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if archive.suffix == ".deb":
        _run(["dpkg-deb", "-x", str(archive.resolve()), str(folder.resolve())], folder)
    elif archive.suffix == ".tgz":
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
    else:
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder)


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
            remedy="Run this on a Debian machine with npm, or copy the finished folder from one.",
        ) from missing
    if done.returncode:
        raise DataError(
            given=f"`{' '.join(command)}`: {done.stderr.strip()[-300:]}",
            expected="the package from its registry",
            remedy="Check the network (for Debian run `apt-get update` first) and start again.",
        )
