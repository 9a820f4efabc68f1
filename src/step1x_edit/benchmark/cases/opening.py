"""What a user names → a set of cases."""

from __future__ import annotations

from pathlib import Path

from step1x_edit.benchmark.cases.case_set import Cases
from step1x_edit.benchmark.suites import built_in_suites
from step1x_edit.errors import DataError

__all__ = ["is_known_target_suite", "open_cases"]

GEDIT = "gedit"


def open_cases(name: str, *, split: str | None = None) -> Cases:
    """Open cases.

    Args:
        name: ``gedit`` (from the hub cache), a path to the published data set, a mini suite's name or store, or a folder
            with a ``cases.jsonl`` (or such a file itself).
        split: Of the published data set; by default the one that is there.

    Raises:
        DataError: There is nothing of the kind, or it cannot be used.
        MissingExtra: A package that reads it is not installed.
    """
    from step1x_edit.benchmark.cases.folder import CASES_FILE, open_folder
    from step1x_edit.benchmark.cases.gedit import open_gedit
    from step1x_edit.benchmark.cases.published_data import PUBLISHED_NAME, looks_published
    from step1x_edit.benchmark.cases.suites import open_suite_cases

    place = Path(name)
    if name in (GEDIT, PUBLISHED_NAME):
        return open_gedit(split=split)
    if is_known_target_suite(name):
        return open_suite_cases(name)
    if place.suffix == ".jsonl" or (place / CASES_FILE).is_file():
        return open_folder(place)
    if place.exists() and looks_published(place):
        return open_gedit(name, split=split)
    raise DataError(
        given=f"the cases {name!r}",
        expected=f"{GEDIT}, {', '.join(built_in_suites())}, a store of triplets, a folder with a {CASES_FILE}, "
        f"or GEdit-Bench's files",
        remedy="Check the name or the path.",
    )


def is_known_target_suite(name: str) -> bool:
    """Tell whether a name stands for a suite with known targets: one in the package, or a store of triplets."""
    return name in built_in_suites() or (Path(name) / "triplets").is_dir()
