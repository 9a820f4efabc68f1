"""Editors: what a suite is run over. Each takes a picture, a sentence and a seed, and gives a picture of the same size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from step1x_edit.benchmark.classical import ClassicalEditor

if TYPE_CHECKING:
    from step1x_edit.pipeline.editor import Editor

__all__ = ["SIMPLE_EDITORS", "IdentityEditor", "ReleaseEditor", "SuiteEditor"]

Rgb = UInt8[np.ndarray, "height width 3"]


@runtime_checkable
class SuiteEditor(Protocol):
    """Something that edits pictures."""

    name: str
    version: str
    """Changes whenever its answers may change; kept with every result."""

    def edit(self, reference: Rgb, instruction: str, *, seed: int) -> Rgb:
        """Return the edited picture, of the reference's size."""
        ...


class IdentityEditor:
    """Leaves every picture as it is: the zero of edit gain."""

    name = "identity"
    version = "1"

    def edit(self, reference: Rgb, instruction: str, *, seed: int) -> Rgb:  # noqa: ARG002 - every editor takes these
        """Return the picture."""
        return reference


class ReleaseEditor:
    """A release of ours.

    Args:
        editor: The release, loaded.
        name: Its id.
        version: What decides its answers beside the instruction: package, weights, adapters.
        preset: Sampling preset.
        settings: Further fields of :class:`~step1x_edit.schema.edit.EditRequest`, such as ``steps``.
    """

    def __init__(
        self,
        editor: Editor,
        *,
        name: str,
        version: str,
        preset: str = "balanced",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self._settings = {"preset": preset, **(settings or {})}
        self.version = " ".join(
            [version, preset, *(f"{key}={value}" for key, value in sorted((settings or {}).items()))]
        )
        self._editor = editor

    def edit(self, reference: Rgb, instruction: str, *, seed: int) -> Rgb:
        """Return the release's edit."""
        result = self._editor.edit(Image.fromarray(reference), instruction, seed=seed, **self._settings)
        return np.asarray(result.image.convert("RGB"))


SIMPLE_EDITORS: dict[str, type[IdentityEditor] | type[ClassicalEditor]] = {
    "identity": IdentityEditor,
    "classical": ClassicalEditor,
}
"""Editors without weights, by name."""
