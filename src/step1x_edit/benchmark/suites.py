"""Suites: cases with a known target and a known region, as a store of triplets.

``mini-ci`` lies in the package; any other store of held-out triplets serves as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.errors import DataError
from step1x_edit.schema.triplet import EditTriplet
from step1x_edit.store import read_store_info, read_triplets

__all__ = ["BenchmarkCase", "Language", "Suite", "built_in_suites", "open_suite"]

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkCase:
    """One edit to make, and what it should come to."""

    record: EditTriplet
    reference: UInt8[np.ndarray, "height width 3"]
    target: UInt8[np.ndarray, "height width 3"]
    mask: Bool[np.ndarray, "height width"]
    """True where the target may differ from the reference."""

    @property
    def name(self) -> str:
        """Name of the case's files."""
        return self.record.uid

    def instruction(self, language: Language) -> str:
        """Return the instruction in a language."""
        return self.record.instruction_cn if language == "zh" else self.record.instruction_en


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Cases in a fixed order."""

    name: str
    manifest_hash: str
    """Of the store; two suites of one hash hold the same cases."""
    cases: tuple[BenchmarkCase, ...]


def built_in_suites() -> dict[str, Path]:
    """Return the suites inside the package, by name."""
    folder = Path(str(files("step1x_edit.benchmark"))) / "suites"
    return {path.name: path for path in sorted(folder.iterdir()) if (path / "triplets").is_dir()}


def open_suite(name: str) -> Suite:
    """Open a suite.

    Args:
        name: A built-in suite's name, or the folder of a store.

    Raises:
        DataError: There is no such suite, or the store holds no triplets.
        MissingExtra: pyarrow is not installed.
    """
    folder = built_in_suites().get(name, Path(name))
    if not folder.is_dir():
        raise DataError(
            given=f"the suite {name!r}",
            expected=f"one of {', '.join(built_in_suites())}, or the folder of a store",
            remedy="Make one with `step1x bench suite mini --out FOLDER`, or pass a folder that `step1x data build` wrote.",
        )
    info = read_store_info(folder)
    cases = tuple(
        BenchmarkCase(record=one.record, reference=one.reference, target=one.target, mask=one.mask)
        for one in read_triplets(folder)
    )
    if not cases:
        raise DataError(
            given=f"{folder}, a store without triplets",
            expected="at least one case",
            remedy="Build the store again with more attempts.",
        )
    return Suite(name=folder.name, manifest_hash=info.digest, cases=cases)
