"""Optional packages, imported when an expert is made and never before."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from step1x_edit.errors import MissingExtra

__all__ = ["optional_package", "part_file"]


def optional_package(name: str, *, extra: str = "data") -> Any:
    """Import a package of an extra and return it.

    Raises:
        MissingExtra: The package is not installed.
    """
    try:
        return import_module(name)
    except ImportError as missing:
        raise MissingExtra(
            given=f"an installation without {name}",
            expected=f"the extra `{extra}`",
            remedy=f"Install it with `pip install step1x-edit[{extra}]`.",
        ) from missing


def part_file(file: Path) -> Path:
    """Return the path of a part's file after a look that it is there.

    Raises:
        MissingExtra: There is no such file.
    """
    if not file.is_file():
        raise MissingExtra(
            given=f"no file {file}",
            expected="the file of an expert's part",
            remedy="Fetch it with `step1x data setup`.",
        )
    return file
