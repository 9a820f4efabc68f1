"""Examples after VAE and multimodal LLM, and batches of them: what the objective is computed on."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from step1x_edit.models.conditioner import Conditioning

__all__ = ["Batch", "EncodedExample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedExample:
    """One pair, encoded once and read many times."""

    target: Float[Tensor, "tokens channels"]
    """Packed latents of the target."""
    reference: Float[Tensor, "tokens channels"] | None
    """Packed latents of the reference image, on the same grid; ``None`` for text-to-image."""
    rows: int
    """Rows of the token grid; ``rows * columns == tokens``."""
    columns: int
    conditioning: Conditioning
    """Of the instruction, without padding."""
    unconditional: Conditioning
    """The release's own unconditional form for the same picture."""
    changed: Float[Tensor, " tokens"] | None = None
    """Share of each token's pixels that the edit changes, where the pair has a mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Examples of one token grid, all with a reference image or all without."""

    target: Float[Tensor, "batch tokens channels"]
    reference: Float[Tensor, "batch tokens channels"] | None
    rows: int
    columns: int
    conditionings: tuple[Conditioning, ...]
    """One for each example, after instruction dropout."""
    changed: Float[Tensor, "batch tokens"] | None = None
