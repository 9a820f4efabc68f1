"""Which of the two published layouts a checkpoint has, and its tensors in the other one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from step1x_edit.models.checkpoint.entries import Entry
from step1x_edit.models.checkpoint.stored_form import StoredWeights
from step1x_edit.models.checkpoint.tables import SCALE_FACTOR

__all__ = ["FOLDED_WEIGHT", "Checkpoint", "Layout", "expected_shapes", "part_and_layout"]

Layout = Literal["official", "diffusers"]

FOLDED_WEIGHT = "connector.global_proj_out.weight"
"""The one matrix that v1.0's scale factor multiplies; the refiner's own mean goes without it."""

_SIGNS: tuple[tuple[str, Literal["transformer", "vae"], Layout], ...] = (
    ("double_blocks.", "transformer", "official"),
    ("single_blocks.", "transformer", "official"),
    ("transformer_blocks.", "transformer", "diffusers"),
    ("single_transformer_blocks.", "transformer", "diffusers"),
    ("decoder.up_blocks.", "vae", "diffusers"),
    ("decoder.mid_block.", "vae", "diffusers"),
    ("decoder.up.", "vae", "official"),
    ("decoder.mid.", "vae", "official"),
)


def part_and_layout(names: Iterable[str]) -> tuple[Literal["transformer", "vae"], Layout] | None:
    """Return what a checkpoint with these names is, or ``None`` if it is neither of our two networks."""
    names = tuple(names)
    for start, part, layout in _SIGNS:
        if any(name.startswith(start) for name in names):
            return part, layout
    return None


def expected_shapes(entries: Iterable[Entry], layout: Layout, *, scale_factor: bool) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes a complete checkpoint has.

    Args:
        entries: The network's key table.
        layout: Whose names.
        scale_factor: Whether v1.0's learned scalar is among them.
    """
    shapes: dict[str, tuple[int, ...]] = {SCALE_FACTOR: (1,)} if scale_factor else {}
    for entry in entries:
        if layout == "official":
            shapes[entry.official] = entry.official_shape
        else:
            shapes.update(zip(entry.ours, entry.shapes, strict=True))
    return shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A complete checkpoint of known layout, readable in either layout, one tensor at a time.

    The scale factor of v1.0 is folded on the way to our names (weight times 1 + factor, in fp32), where it has no
    place. On the way back from folded weights it is written as 0, so that folding again changes nothing.
    """

    stored: StoredWeights
    layout: Layout
    entries: tuple[Entry, ...]
    official_scale_factor: bool = False
    """Whether the release has the scalar in the official layout (v1.0)."""

    @property
    def holds_scale_factor(self) -> bool:
        """Whether the file itself holds the scalar, so that its weights are not folded."""
        return SCALE_FACTOR in self.stored.tensors

    def read(self, layout: Layout, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
        """Yield every tensor in a layout's names, in the order of :func:`expected_shapes`."""
        return self._ours(dtype) if layout == "diffusers" else self._official(dtype)

    def _ours(self, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
        for entry in self.entries:
            if self.layout == "diffusers":
                parts: Iterable[Tensor] = (self._ours_tensor(name, dtype) for name in entry.ours)
            else:
                parts = entry.split(self._ours_tensor(entry.official, dtype))
            yield from zip(entry.ours, parts, strict=True)

    def _ours_tensor(self, name: str, dtype: torch.dtype) -> Tensor:
        if name != FOLDED_WEIGHT or not self.holds_scale_factor:
            return self.stored.read(name, dtype=dtype)
        factor = 1 + self.stored.read(SCALE_FACTOR, dtype=torch.float32)
        return (self.stored.read(name, dtype=torch.float32) * factor).to(dtype)

    def _official(self, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
        if self.official_scale_factor:
            held = self.holds_scale_factor
            yield SCALE_FACTOR, self.stored.read(SCALE_FACTOR, dtype=dtype) if held else torch.zeros(1, dtype=dtype)
        for entry in self.entries:
            if self.layout == "official":
                yield entry.official, self.stored.read(entry.official, dtype=dtype)
            else:
                yield entry.official, entry.join([self.stored.read(name, dtype=dtype) for name in entry.ours])
