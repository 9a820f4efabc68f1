"""Encoded examples of one token grid become a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from step1x_edit.errors import DataError
from step1x_edit.training.examples import Batch, EncodedExample

__all__ = ["assemble_batch"]


def assemble_batch(examples: Sequence[EncodedExample], *, dropped: Sequence[bool]) -> Batch:
    """Stack examples; those that are dropped get the release's unconditional form instead of their instruction.

    Args:
        examples: Examples of one token grid, all with a reference image or all without.
        dropped: For each example whether its instruction goes (the sampler decides).

    Raises:
        DataError: The examples' grids differ, or only some have a reference image.
    """
    _require_one_form(examples)
    references = [example.reference for example in examples if example.reference is not None]
    masked = any(example.changed is not None for example in examples)
    return Batch(
        target=torch.stack([example.target for example in examples]),
        reference=torch.stack(references) if references else None,
        rows=examples[0].rows,
        columns=examples[0].columns,
        conditionings=tuple(
            example.unconditional if drop else example.conditioning
            for example, drop in zip(examples, dropped, strict=True)
        ),
        changed=torch.stack([_changed(example) for example in examples]) if masked else None,
    )


def _changed(example: EncodedExample) -> Float[Tensor, " tokens"]:
    """A pair without a mask counts as unchanged everywhere, so that its tokens weigh alike."""
    return torch.zeros(len(example.target)) if example.changed is None else example.changed.float()


def _require_one_form(examples: Sequence[EncodedExample]) -> None:
    forms = {(example.rows, example.columns, example.reference is not None) for example in examples}
    if len(forms) == 1:
        return
    named = ", ".join(
        f"{rows} x {columns} {'with' if reference else 'without'} reference"
        for rows, columns, reference in sorted(forms)
    )
    raise DataError(
        given=f"a batch of examples of {len(forms)} forms ({named or 'none at all'})",
        expected="one token grid, and a reference image for all examples or for none",
        remedy="Draw batches from one bucket at a time.",
    )
