"""Official tensor names and ours, tied together one entry at a time.

A :class:`Rule` is one row of a key table (:mod:`.tables`), written with placeholders. :func:`entries` lays the rows
over the names and shapes of a network; every :class:`Entry` then turns one official tensor into ours and back. Both
directions, the strict shape check and the splitting of LoRA matrices come from the same entries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Entry", "Form", "Rule", "entries"]

Form = Literal["same", "stacked", "swapped", "pointwise"]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of a key table.

    In a name ``#`` stands for a block number and a final ``*`` for the rest of the name.
    """

    official: str
    """Name in the published single file."""

    ours: tuple[str, ...]
    """Name in our network; several where the official tensor stacks their rows in this order."""

    form: Form = "same"
    """How the numbers differ: not at all, rows stacked, row halves swapped, or a 1 x 1 convolution for a matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One tensor of the official layout and the tensors of our network it holds."""

    official: str
    ours: tuple[str, ...]
    shapes: tuple[Shape, ...]
    """Shapes of ``ours``, in the same order."""
    form: Form

    @property
    def official_shape(self) -> Shape:
        """Shape of the official tensor."""
        first = self.shapes[0]
        if self.form == "stacked":
            return (sum(shape[0] for shape in self.shapes), *first[1:])
        if self.form == "pointwise" and len(first) == 2:
            return (*first, 1, 1)
        return first

    def split(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """Return our tensors from the official one (views where the numbers allow it).

        Works on anything with the official tensor's rows, so also on the up matrix of a LoRA.
        """
        if self.form == "stacked":
            return tensor.split([shape[0] for shape in self.shapes])
        if self.form == "swapped":
            return (_swap_halves(tensor),)
        if self.form == "pointwise" and tensor.ndim == 4:
            return (tensor.flatten(1),)
        return (tensor,)

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the official tensor from ours; the inverse of :meth:`split`."""
        if self.form == "stacked":
            return torch.cat(tuple(parts))
        (part,) = parts
        if self.form == "swapped":
            return _swap_halves(part)
        return part.reshape(self.official_shape)


def entries(rules: Sequence[Rule], shapes: Mapping[str, Shape]) -> tuple[Entry, ...]:
    """Lay a key table over a network.

    Args:
        rules: The table; where two rows could name a tensor, the first wins.
        shapes: Every tensor of the network, name → shape.

    Returns:
        Entries that together cover every tensor of the network exactly once.
    """
    left = dict(shapes)
    found: list[Entry] = []
    for rule in rules:
        pattern = _pattern(rule.ours[0])
        for name in [name for name in left if pattern.fullmatch(name)]:
            match = pattern.fullmatch(name)
            assert match is not None
            ours = tuple(_fill(template, match.groups()) for template in rule.ours)
            found.append(
                Entry(
                    official=_fill(rule.official, match.groups()),
                    ours=ours,
                    shapes=tuple(left.pop(part) for part in ours),
                    form=rule.form,
                )
            )
    assert not left, f"the key table has no row for {sorted(left)[:5]}"
    return tuple(found)


def _swap_halves(tensor: Tensor) -> Tensor:
    first, second = tensor.chunk(2)
    return torch.cat((second, first))


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.escape(template).replace(r"\#", r"(\d+)").replace(r"\*", "(.+)"))


def _fill(template: str, values: Sequence[str]) -> str:
    for value in values:
        template = re.sub(r"[#*]", value, template, count=1)
    return template
