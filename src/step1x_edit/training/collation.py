"""Examples become a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from step1x_edit.training.examples import Batch, EncodedExample

__all__ = ["collated"]


def collated(examples: Sequence[EncodedExample], *, dropped: Sequence[bool]) -> Batch:
    """Stack examples of one grid, all with a reference image or all without.

    Args:
        examples: The examples.
        dropped: Which of them get the unconditional form instead of their instruction.
    """
    references = [one.reference for one in examples if one.reference is not None]
    return Batch(
        target=torch.stack([one.target for one in examples]),
        reference=torch.stack(references) if references else None,
        rows=examples[0].rows,
        columns=examples[0].columns,
        conditionings=tuple(
            one.unconditional if gone else one.conditioning for one, gone in zip(examples, dropped, strict=True)
        ),
        changed=_changed(examples),
    )


def _changed(examples: Sequence[EncodedExample]) -> Float[Tensor, "batch tokens"] | None:
    """Return where the examples change; one without a mask counts as unchanged, so all its tokens weigh 1."""
    if all(one.changed is None for one in examples):
        return None
    tokens = examples[0].rows * examples[0].columns
    return torch.stack([torch.zeros(tokens) if one.changed is None else one.changed for one in examples])
