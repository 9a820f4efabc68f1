"""Rotary ids of target, reference and context tokens: (axis 0, row, column), always fp32.

The released v1.1 pipeline makes target ids in bf16, exact up to 256 only; fp32 ids are exact everywhere and equal below.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from step1x_edit.sampling.resolution import GRID_PX

__all__ = ["grid_positions", "mllm_text_positions", "zero_positions"]

_VISION_OFFSET = 11 / 16
"""Subtracted from the picture tokens' ids on the target grid; patch centres would give 7.5/16, the weights expect this."""


def grid_positions(*, rows: int, columns: int, axis: int = 0, offset: int = 0) -> Float[Tensor, "tokens 3"]:
    """Return the ids of a grid of image tokens, row by row.

    Args:
        rows: Token rows (height / 16).
        columns: Token columns (width / 16).
        axis: Id on axis 0: 0 for the target, the release's value for the reference.
        offset: Added to rows and columns (1 for v1.1's reference).
    """
    ids = torch.zeros(rows, columns, 3)
    ids[..., 0] = axis
    ids[..., 1] = torch.arange(rows)[:, None] + offset
    ids[..., 2] = torch.arange(columns)[None, :] + offset
    return ids.flatten(0, 1)


def zero_positions(tokens: int) -> Float[Tensor, "tokens 3"]:
    """Return the ids of context tokens in v1.0 and v1.1: all zero, pads too."""
    return torch.zeros(tokens, 3)


def mllm_text_positions(
    temporal: Int[Tensor, " tokens"],
    *,
    is_picture: Int[Tensor, " tokens"],
    grid: tuple[int, int],
    patch_px: int,
    generation: tuple[int, int],
) -> Float[Tensor, "tokens 3"]:
    """Return the ids of context tokens in v1.2: time before the pictures, picture tokens on the target's grid.

    Axis 0 is the LLM's temporal index, shifted so that the last kept token has -1. Axes 1 and 2 are 0 for words; for the
    picture's tokens they are the token's centre on the target grid, fractional.

    Args:
        temporal: Temporal rotary index of each kept token in the LLM.
        is_picture: 1 where the token is a picture token.
        grid: Rows and columns of picture tokens.
        patch_px: Pixels of one picture token's side in the LLM's resized picture (28).
        generation: Width and height of the generation in pixels.

    Source:
        Released v1.2 pipeline, vision ids by affine map.
    """
    ids = torch.zeros(len(temporal), 3)
    ids[:, 0] = (temporal - temporal[-1] - 1).float()
    rows, columns = grid
    row_ids = _on_target_grid(rows, side_px=generation[1], patch_px=patch_px)
    column_ids = _on_target_grid(columns, side_px=generation[0], patch_px=patch_px)
    places = torch.stack(torch.meshgrid(row_ids, column_ids, indexing="ij"), dim=-1).flatten(0, 1)
    ids[is_picture.bool(), 1:] = places
    return ids


def _on_target_grid(count: int, *, side_px: int, patch_px: int) -> Float[Tensor, " count"]:
    centres = patch_px * torch.arange(count, dtype=torch.float64) + (patch_px - 1) / 2
    pixels = centres * (side_px - 1) / (patch_px * count - 1)
    return (pixels / GRID_PX - _VISION_OFFSET).float()
