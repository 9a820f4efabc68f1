"""What edits a case, whatever it is: a release, a stock pipeline, a service, a folder of finished pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.editors import SuiteEditor
from step1x_edit.errors import NumericalError, RequestError

__all__ = ["CaseEditor", "NoPicture", "PixelEditor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPicture:
    """Why a case has no edited picture."""

    outcome: Literal["refused", "failed"]
    """Refused: the editor would not, and is not asked again. Failed: it could not, and a later run tries again."""
    reason: str
    """In one line, the editor's own words where it has any."""


@runtime_checkable
class CaseEditor(Protocol):
    """Something that edits cases."""

    name: str
    version: str
    """Changes whenever its answers may change."""
    seeded: bool
    """Whether a seed decides its answers."""
    at_once: int
    """How many cases it may be asked at the same time."""

    def edit(self, case: JudgeableCase, source: Image.Image, *, seed: int) -> Image.Image | NoPicture:
        """Return the edited picture, RGB and of whatever size the editor makes, or why there is none."""
        ...


class PixelEditor:
    """An editor of the suites with known targets, for any case: a release of ours, rules, or none at all.

    Args:
        editor: It gives pictures of the source's size.
    """

    seeded = True
    at_once = 1

    def __init__(self, editor: SuiteEditor) -> None:
        self.name, self.version = editor.name, editor.version
        self._editor = editor

    def edit(self, case: JudgeableCase, source: Image.Image, *, seed: int) -> Image.Image | NoPicture:
        """Return the edit; a picture or an instruction that the editor cannot take is a failure of the case alone."""
        try:
            pixels = self._editor.edit(np.asarray(source), case.instruction, seed=seed)
        except (RequestError, NumericalError) as fault:
            return NoPicture(outcome="failed", reason=" ".join(str(fault).split()))
        return Image.fromarray(pixels)
