"""Which parts there are, and which expert needs which; the choice itself is data (``parts.toml``)."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from step1x_edit.errors import RequestError
from step1x_edit.experts.answers import PartVersion
from step1x_edit.experts.parts.registries import Package, Registry

__all__ = ["Archive", "Needs", "Part", "PartFile", "expert_needs", "parts", "parts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFile:
    """A file of a part, as it lies in the store."""

    name: str
    sha256: str
    members: tuple[str, ...]
    """The archive's files that make it up, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What the registry hands out."""

    name: str
    platform: str
    """``any``, or the system and processor it was built for, such as ``linux-x86_64``."""
    sha256: str
    megabytes: float
    """Size of the download, in units of 10**6 bytes."""
    files: tuple[PartFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A model of somebody else's, in one exact version."""

    name: str
    registry: Registry
    package: str
    version: str
    licence: str
    gives: str
    """What it is good for, in a few words."""
    archives: tuple[Archive, ...]

    @property
    def source(self) -> Package:
        """The package it comes in."""
        return Package(name=self.package, registry=self.registry, version=self.version, licence=self.licence)

    def archive(self) -> Archive | None:
        """Return the archive for this machine, or None when there is none."""
        here = f"{platform.system()}-{platform.machine()}".lower()
        return next((one for one in self.archives if one.platform in ("any", here)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What an expert runs on."""

    parts: tuple[str, ...]
    packages: tuple[str, ...]
    """Modules of the extra ``data`` that it imports."""

    def version(self) -> PartVersion:
        """Name the parts as one."""
        used = [parts()[name] for name in self.parts]
        return PartVersion(
            part="+".join(one.name for one in used),
            version="+".join(one.version for one in used),
            licence=" and ".join(dict.fromkeys(one.licence for one in used)),
        )


@cache
def parts() -> dict[str, Part]:
    """Return the table of parts by name."""
    return {entry["name"]: _part(**entry) for entry in _table()["part"]}


@cache
def expert_needs() -> dict[str, Needs]:
    """Return what each expert of the embedded set runs on, by the name of its call."""
    return {
        name: Needs(parts=tuple(needs["parts"]), packages=tuple(needs["packages"]))
        for name, needs in _table()["experts"].items()
    }


def parts_of(experts: Iterable[str]) -> tuple[Part, ...]:
    """Return the parts some experts need, each once.

    Args:
        experts: Names of calls; none means all parts.

    Raises:
        RequestError: There is no such expert.
    """
    needs = expert_needs()
    names = list(experts) or list(needs)
    for name in names:
        if name not in needs:
            raise RequestError(
                given=f"the expert {name!r}",
                expected=f"one of {', '.join(needs)}",
                remedy="Run `step1x data setup --list` to see what each of them needs.",
            )
    return tuple(parts()[part] for part in dict.fromkeys(part for name in names for part in needs[name].parts))


def _part(*, archive: list[dict[str, Any]], **fields: Any) -> Part:
    return Part(archives=tuple(_archive(**one) for one in archive), **fields)


def _archive(*, file: list[dict[str, Any]], **fields: Any) -> Archive:
    files = (PartFile(name=one["name"], sha256=one["sha256"], members=tuple(one["from"])) for one in file)
    return Archive(files=tuple(files), **fields)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("parts.toml").read_text(encoding="utf-8"))
