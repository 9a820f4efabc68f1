"""Conditionings of a batch become the transformer's arguments, padded and placed as the release expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from step1x_edit.models.conditioner import Conditioning
from step1x_edit.sampling.padding import fold_padding
from step1x_edit.sampling.positions import zero_positions
from step1x_edit.schema.release import Conventions

__all__ = ["Context", "join_conditionings"]

_UNSEEN = -1e4
"""Added to the attention logits of tokens that only fill a batch; such keys weigh exactly nothing in every type."""
_SLOT_MULTIPLE = 32
"""Of folded contexts, so that few lengths occur (compiled blocks are made for a length) and matrix products run aligned: the
same time or 5 % less on a CPU although some pads more are computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Examples that share one call of the transformer."""

    rows: tuple[int, ...]
    """Their places in the batch."""
    tokens: Float[Tensor, "rows length hidden"]
    mask: Int[Tensor, "rows length"]
    """1 for real tokens."""
    positions: Float[Tensor, "length 3"]
    key_bias: Float[Tensor, "rows length"] | None
    """Added to the attention logits of these keys; ``None`` where all would be zero."""
    text_embeddings: Float[Tensor, "rows length hidden"] | None
    text_mask: Int[Tensor, "rows length"] | None


def join_conditionings(
    conditionings: Sequence[Conditioning], *, conventions: Conventions, dtype: torch.dtype
) -> list[Context]:
    """Put as many conditionings into one call as the release's positions allow.

    Where all context tokens have position zero, one call serves the whole batch: pads up to the release's length are
    folded as at inference, and in releases without pads what fills the shorter examples is not seen by anyone. Where
    positions come from the multimodal LLM (v1.2), examples whose positions are equal share a call.

    Args:
        conditionings: One for each example, without padding.
        conventions: The release's record.
        dtype: Type in which attention is computed.
    """
    return [
        _join([conditionings[row] for row in rows], rows, conventions=conventions, dtype=dtype)
        for rows in _groups(conditionings, conventions)
    ]


def _groups(conditionings: Sequence[Conditioning], conventions: Conventions) -> list[tuple[int, ...]]:
    if conventions.text_positions == "zero":
        return [tuple(range(len(conditionings)))]
    groups: list[list[int]] = []
    for row, item in enumerate(conditionings):
        same = (rows for rows in groups if torch.equal(conditionings[rows[0]].positions, item.positions))
        found = next(same, None)
        if found is None:
            groups.append([row])
        else:
            found.append(row)
    return [tuple(rows) for rows in groups]


def _join(
    conditionings: list[Conditioning], rows: tuple[int, ...], *, conventions: Conventions, dtype: torch.dtype
) -> Context:
    tokens = _stacked([item.tokens for item in conditionings]).to(dtype)
    mask = _stacked([item.mask for item in conditionings])
    bias = (1 - mask).to(dtype) * _UNSEEN
    if conventions.pad_text:
        folded = fold_padding(
            tokens, mask, padded_length=conventions.max_text_tokens, dtype=dtype, multiple=_SLOT_MULTIPLE
        )
        tokens, mask, bias = folded.tokens, folded.mask, folded.key_bias
    placed = conventions.text_positions == "mllm"
    return Context(
        rows=rows,
        tokens=tokens,
        mask=mask,
        positions=conditionings[0].positions if placed else zero_positions(tokens.shape[1]),
        key_bias=bias if bool(bias.any()) else None,
        text_embeddings=_optional([item.text_embeddings for item in conditionings]),
        text_mask=_optional([item.text_mask for item in conditionings]),
    )


def _stacked(values: Sequence[Tensor]) -> Tensor:
    return nn.utils.rnn.pad_sequence([value[0] for value in values], batch_first=True)


def _optional(values: Sequence[Tensor | None]) -> Tensor | None:
    present = [value for value in values if value is not None]
    return _stacked(present) if len(present) == len(values) else None
