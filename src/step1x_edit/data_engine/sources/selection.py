"""Which pictures of which packages make the pool; the choice itself is data.

``packages.toml`` says what to fetch, ``photographs.toml`` which photographs are good and what some of them show, and
the object classes (``objects.toml``) which cut-outs show them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from step1x_edit.data_engine.objects import ObjectClass, object_classes
from step1x_edit.data_engine.pool import Kind
from step1x_edit.data_engine.sources.packages import Package, unpacked
from step1x_edit.errors import DataError

__all__ = ["Source", "matting_model", "sources"]

STAMPS = ("tuxpaint-stamps-default", "usr/share/tuxpaint/stamps")
EMOJI = ("@lobehub/fluent-emoji-3d", "package/assets")
MATTING = ("@imgly/background-removal-data", "package/dist")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One picture of a package that goes into the pool."""

    package: Package
    path: Path
    kind: Kind
    scene: bool = False
    """True for a photograph without a dominant subject, which may stand behind an object."""
    object_class: ObjectClass | None = None
    """What a cut-out or a subject shows."""
    to_matte: bool = False
    """True when the cut-out is still to be made from a photograph."""


def sources(cache: Path) -> Iterator[Source]:
    """Fetch packages as needed and yield the selected pictures.

    Args:
        cache: Where archives and unpacked packages are kept.

    Raises:
        DataError: A package or a picture is missing.
    """
    packages = _packages()
    for name, selection in _data("photographs.toml").items():
        root = unpacked(packages[name], cache) / selection["folder"]
        for key in ("scenes", "subjects"):
            for path in selection.get(key, []):
                yield _existing(Source(package=packages[name], path=root / path, kind="photo", scene=key == "scenes"))
        for entry in selection.get("matted", []):
            yield from _matted(packages[name], root, **entry)
    yield from _drawn_free(packages, cache)


def matting_model(cache: Path) -> Path:
    """Fetch the matting expert's model and return its folder."""
    return unpacked(_packages()[MATTING[0]], cache) / MATTING[1]


def _matted(package: Package, root: Path, *, path: str, object: str = "", whole: bool = False) -> Iterator[Source]:  # noqa: A002
    what = object_classes()[object] if object else None
    subject = _existing(Source(package=package, path=root / path, kind="subject", object_class=what, to_matte=True))
    yield subject
    if whole:
        yield replace(subject, kind="cutout")


def _drawn_free(packages: dict[str, Package], cache: Path) -> Iterator[Source]:
    """Yield the pictures that come with a matte."""
    stamps, emoji = (unpacked(packages[name], cache) / folder for name, folder in (STAMPS, EMOJI))
    for one in object_classes().values():
        for name in one.stamps:
            path = stamps / f"{name}.png"
            yield _existing(Source(package=packages[STAMPS[0]], path=path, kind="cutout", object_class=one))
        for code in one.emoji:
            # Some files carry the emoji variation selector in their name.
            path = next((path for path in (emoji / f"{code}.webp",) if path.is_file()), emoji / f"{code}-fe0f.webp")
            yield _existing(Source(package=packages[EMOJI[0]], path=path, kind="cutout", object_class=one))


def _packages() -> dict[str, Package]:
    return {entry["name"]: Package(**entry) for entry in _data("packages.toml")["package"]}


def _data(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def _existing(source: Source) -> Source:
    if not source.path.is_file():
        raise DataError(
            given=f"{source.package.name} {source.package.version}, which has no {source.path.name}",
            expected="every picture the selection names",
            remedy=f"Remove {source.path.parent} from the cache to unpack again, or correct the selection.",
        )
    return source
