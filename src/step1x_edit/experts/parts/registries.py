"""Fetches packages from public registries and unpacks them, without installing anything.

Each registry is asked through its own client (``apt-get``, ``npm``, ``pip``), so mirrors and proxies set up on the
machine are honoured. No code of a package is run: pip would build a source archive to learn about it, so source
archives are taken from the index page that pip reads.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.error import URLError
from urllib.parse import urljoin
from urllib.request import urlopen

from step1x_edit.errors import DataError

__all__ = ["OnBytes", "Package", "Registry", "fetch_archive", "unpack_archive"]

Registry = Literal["debian", "npm", "pypi"]
OnBytes = Callable[[int], None]
"""Called now and then with the number of bytes that have come so far."""

SOURCE_ARCHIVE = ".tar.gz"
LOOK_AGAIN_SECONDS = 0.2
TIMEOUT_SECONDS = 60
READ_AT_ONCE = 1 << 18


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


def fetch_archive(
    package: Package, folder: Path, *, archive: str | None = None, on_bytes: OnBytes | None = None
) -> Path:
    """Return a package's archive, fetched unless ``folder`` holds it already.

    Args:
        package: What to fetch.
        folder: Where archives are kept.
        archive: File name of the archive, where the version has several (wheels of several platforms, source archive);
            otherwise the registry's client chooses what suits this machine.
        on_bytes: Hears how much has come.

    Raises:
        DataError: The registry's client failed, or gave no archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = _find(folder, package, archive)
    if found is None:
        if archive is not None and archive.endswith(SOURCE_ARCHIVE):
            _fetch_from_index(package, archive, folder, on_bytes)
        else:
            _run(_command(package, archive), folder, on_bytes)
        found = _find(folder, package, archive)
    if found is None:
        raise _absent(package, archive)
    return found


def unpack_archive(archive: Path, folder: Path) -> None:
    """Unpack a ``.deb``, ``.tgz``, ``.tar.gz`` or ``.whl`` archive into a folder.

    Raises:
        DataError: ``dpkg-deb`` is absent or refuses the archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if archive.suffix == ".deb":
        _run(["dpkg-deb", "-x", str(archive.resolve()), str(folder.resolve())], folder, None)
    elif archive.suffix in (".tgz", ".gz"):
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
    else:
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder)


def _find(folder: Path, package: Package, archive: str | None) -> Path | None:
    if archive is not None:
        return folder / archive if (folder / archive).is_file() else None
    stem = package.name.lstrip("@").replace("/", "-")
    version = package.version.replace(":", "%3a")
    names = [f"{stem}_{version}_*.deb", f"{stem}-{version}.tgz", f"{stem.replace('-', '_')}-{version}*.whl"]
    return next((path for name in names for path in sorted(folder.glob(name))), None)


def _command(package: Package, archive: str | None) -> list[str]:
    if package.registry == "debian":
        return ["apt-get", "download", f"{package.name}={package.version}"]
    if package.registry == "npm":
        return ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    platforms = archive.removesuffix(".whl").rsplit("-", 1)[-1].split(".") if archive else ["any"]
    for platform in platforms:
        pip += ["--platform", platform] if platform != "any" else []
    return [*pip, f"{package.name}=={package.version}"]


def _run(command: list[str], folder: Path, on_bytes: OnBytes | None) -> None:
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as messages:
        try:
            client = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "TMPDIR": str(folder.resolve())},  # what pip has so far then shows in the folder
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
            )
        except FileNotFoundError as missing:
            raise DataError(
                given=f"the command `{command[0]}`",
                expected="it on the search path",
                remedy="Install it, or run this on a machine that has it and copy the finished folder.",
            ) from missing
        _watch(client, folder, on_bytes)
        messages.seek(0)
        said = messages.read().strip()[-300:]
    if client.returncode:
        raise DataError(
            given=f"`{' '.join(command)}`: {said}",
            expected="the package from its registry",
            remedy="Check the network (for Debian run `apt-get update` first) and start again.",
        )


def _watch(client: subprocess.Popen[bytes], folder: Path, on_bytes: OnBytes | None) -> None:
    before = _size(folder)
    try:
        while client.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                client.wait(LOOK_AGAIN_SECONDS)
            if on_bytes:
                on_bytes(max(0, _size(folder) - before))
    finally:
        client.kill()


def _size(folder: Path) -> int:
    sizes = 0
    for path in folder.rglob("*"):
        try:
            sizes += path.stat().st_size
        except FileNotFoundError:  # the client took it away meanwhile
            continue
    return sizes


def _fetch_from_index(package: Package, archive: str, folder: Path, on_bytes: OnBytes | None) -> None:
    page = f"{_index().rstrip('/')}/{package.name}/"
    temporary = folder / f".{archive}.{os.getpid()}"
    try:
        with urlopen(page, timeout=TIMEOUT_SECONDS) as answer:
            links = re.findall(r'href="([^"]+)"', answer.read().decode("utf-8"))
        link = next((one for one in links if one.partition("#")[0].rsplit("/", 1)[-1] == archive), None)
        if link is None:
            raise _absent(package, archive)
        with urlopen(urljoin(page, link), timeout=TIMEOUT_SECONDS) as answer, temporary.open("wb") as file:
            while block := answer.read(READ_AT_ONCE):
                file.write(block)
                if on_bytes:
                    on_bytes(file.tell())
        temporary.replace(folder / archive)
    except URLError as failure:
        raise DataError(
            given=f"{page} ({failure.reason})",
            expected="the package's page of the index",
            remedy="Check the network, or the index set up for pip, and start again.",
        ) from failure
    finally:
        temporary.unlink(missing_ok=True)


def _index() -> str:
    """Return the index that pip is set up to use."""
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found = dict(re.findall(r"^([\w:]+)\.index-url='(.*)'$", settings.stdout, flags=re.MULTILINE))
    return next((found[name] for name in (":env:", "download", "global") if name in found), "https://pypi.org/simple")


def _absent(package: Package, archive: str | None) -> DataError:
    name = f"{package.registry} package {package.name} {package.version}"
    return DataError(
        given=f"{name} ({archive})" if archive else name,
        expected="an archive of that version",
        remedy="See whether the registry still carries this version (for Debian after `apt-get update`).",
    )
