"""What a benchmark says about one edit, and about an editor."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from step1x_edit.schema.tasks import EditTask

__all__ = ["CaseScore", "Rates", "RunSettings", "Sighting", "TaskSummary"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RunSettings(_Record):
    """What decides the results of a run; results of other settings are never mixed in."""

    suite: str
    manifest_hash: str
    editor: str
    editor_version: str
    language: Literal["en", "zh"]
    seed: int
    """Of the first case; each case adds its number."""


class Sighting(_Record):
    """Whether something is so in the edited picture, and whether the same eyes say so of the two known pictures."""

    result: bool
    target: bool
    reference: bool


class Rates(_Record):
    """Shares of cases in which something is so."""

    result: float
    target: float
    """In the true targets: what an editor can reach at most with these eyes."""
    reference: float
    """In the references: what leaving pictures alone reaches."""
    cases: int


class CaseScore(_Record):
    """Measures of one case. ``None``: cannot be measured for this case or without an absent expert."""

    uid: str
    task: EditTask
    detail: str = ""
    instruction: str
    seconds: float
    """Wall time of the edit; not part of any comparison."""
    gain: float
    """Edit gain inside the mask: 1 - squared error to the target / squared error of leaving the reference, at least -1."""
    psnr_outside: float | None
    """Preservation in dB outside the mask, at most 100; none where the mask leaves less than a twentieth outside."""
    perceptual_outside: float | None = None
    """LPIPS-like distance outside the mask."""
    recognised: Sighting | None = None
    """Whether the object that was asked for is recognised in the region (add, replace), by a frozen network."""
    gone: Sighting | None = None
    """Whether the object that was to go is no longer recognised in the region (remove, replace)."""
    colour_direction: float | None = None
    """Cosine between the asked and the made change of mean colour (OKLab) inside the mask, -1..1: hue and tone direction."""


class TaskSummary(_Record):
    """Means over the cases of a task."""

    task: EditTask | None
    """``None``: over all tasks, each with the same weight."""
    cases: int
    gain_mean: float
    gain_median: float
    psnr_outside: float | None
    """Over all tasks: of local edits only (one object added, removed, replaced, recoloured or remade)."""
    perceptual_outside: float | None
    recognised: Rates | None
    """``None`` where no such object is asked for, or the expert is absent."""
    gone: Rates | None
    colour_direction: float | None
