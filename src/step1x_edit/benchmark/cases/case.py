"""A case: a source picture and what a person wanted of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from step1x_edit.schema.judged import CaseId

__all__ = ["CaseSet", "JudgeableCase"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeableCase:
    """An edit to make and to judge; pictures are opened when asked for, since a set holds gigabytes."""

    id: CaseId
    instruction: str
    intersection: bool
    open_source: Callable[[], Image.Image]
    """Gives the source as the editor gets it and the judge compares with, RGB."""
    region: Callable[[], Bool[np.ndarray, "height width"]] | None = None
    """Where the edit may change something, for sets that know it (the mini suites)."""
    target: Callable[[], UInt8[np.ndarray, "height width 3"]] | None = None
    """The known result, for sets that have one."""


@runtime_checkable
class CaseSet(Protocol):
    """Cases in a fixed order."""

    @property
    def name(self) -> str:
        """What results call it: "gedit", a mini suite's name, a folder's."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash over ids, instructions and source pictures; equal sets, equal fingerprints."""
        ...

    @property
    def cases(self) -> Sequence[JudgeableCase]:
        """All of them."""
        ...

    def __iter__(self) -> Iterator[JudgeableCase]:
        """Walk through them."""
        ...
