"""diffusers' FLUX blocks with two exact savings: modulation computed beforehand, and a last block for target tokens only.

Names, shapes and weights are those of the stock blocks. A block's ``temb`` is either the time-and-vector embedding, from
which the block computes its modulation as the stock one does, or that modulation itself, computed before the loop.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.hooks._helpers import TransformerBlockMetadata, TransformerBlockRegistry
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.normalization import AdaLayerNormContinuous, AdaLayerNormZero, AdaLayerNormZeroSingle
from diffusers.models.transformers.transformer_flux import FluxSingleTransformerBlock, FluxTransformerBlock
from torch import Tensor

__all__ = ["Step1XEditFinalNorm", "Step1XEditSingleTransformerBlock", "Step1XEditTransformerBlock"]


def _modulation(
    norm: AdaLayerNormZero | AdaLayerNormZeroSingle | AdaLayerNormContinuous, embedding: Tensor, *, part: int = 0
) -> Tensor:
    """Return a norm's shifts, scales and gates: computed from the embedding, or cut out if they were computed before."""
    linear = norm.linear
    if embedding.shape[-1] == linear.in_features:
        return linear(norm.silu(embedding))
    return embedding.unflatten(-1, (-1, linear.out_features))[:, part]


class _DoubleNorm(AdaLayerNormZero):
    """Norm of one stream of a double block; ``part`` 0 is the image stream, 1 the context stream."""

    def __init__(self, dim: int, *, part: int) -> None:
        super().__init__(dim)
        self.part = part

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] - blocks pass these two
        self, x: Tensor, emb: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = _modulation(self, emb, part=self.part).chunk(6, dim=1)
        return self.norm(x) * (1 + scale[:, None]) + shift[:, None], gate, mlp_shift, mlp_scale, mlp_gate


class _SingleNorm(AdaLayerNormZeroSingle):
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] - blocks read these two
        self, x: Tensor, emb: Tensor
    ) -> tuple[Tensor, Tensor]:
        shift, scale, gate = _modulation(self, emb).chunk(3, dim=1)
        return self.norm(x) * (1 + scale[:, None]) + shift[:, None], gate


class Step1XEditFinalNorm(AdaLayerNormContinuous):
    """Norm before the output projection; reads (scale, shift) as diffusers does."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, dim, elementwise_affine=False, eps=1e-6)

    def modulation(self, embedding: Tensor) -> Tensor:
        """Return scale and shift, (batch, 2 * dim), from the time-and-vector embedding."""
        return _modulation(self, embedding)

    def forward(self, x: Tensor, conditioning_embedding: Tensor) -> Tensor:
        """Normalise tokens (batch, tokens, dim) and modulate them."""
        scale, shift = self.modulation(conditioning_embedding).to(x.dtype).chunk(2, dim=1)
        return self.norm(x) * (1 + scale)[:, None] + shift[:, None]


class Step1XEditTransformerBlock(FluxTransformerBlock):
    """Joint attention of context and image tokens, one set of weights for each stream."""

    def __init__(self, dim: int, num_attention_heads: int, attention_head_dim: int) -> None:
        super().__init__(dim, num_attention_heads, attention_head_dim)
        self.norm1 = _DoubleNorm(dim, part=0)
        self.norm1_context = _DoubleNorm(dim, part=1)

    def modulation(self, embedding: Tensor) -> Tensor:
        """Return the modulation of both streams, (batch, 12 * dim), from the time-and-vector embedding."""
        return torch.cat([_modulation(self.norm1, embedding), _modulation(self.norm1_context, embedding)], dim=-1)


class Step1XEditSingleTransformerBlock(FluxSingleTransformerBlock):
    """Attention and MLP in parallel on context and image tokens together."""

    def __init__(self, dim: int, num_attention_heads: int, attention_head_dim: int) -> None:
        super().__init__(dim, num_attention_heads, attention_head_dim)
        self.norm = _SingleNorm(dim)

    def modulation(self, embedding: Tensor) -> Tensor:
        """Return the modulation, (batch, 3 * dim), from the time-and-vector embedding."""
        return _modulation(self.norm, embedding)

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        temb: Tensor,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        joint_attention_kwargs: dict[str, Any] | None = None,
        target_tokens: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return context and image tokens; only the first ``target_tokens`` image tokens if that is given.

        Keys and values always come from all tokens; a query, and so the MLP and the output projection, is only computed
        for tokens that somebody reads. The context is returned as it came in then, since nobody reads it.
        """
        if target_tokens is None:
            return super().forward(hidden_states, encoder_hidden_states, temb, image_rotary_emb, joint_attention_kwargs)
        context_tokens = encoder_hidden_states.shape[1]
        normed, gate = self.norm(torch.cat([encoder_hidden_states, hidden_states], dim=1), emb=temb)
        wanted = slice(context_tokens, context_tokens + target_tokens)
        queries = normed[:, wanted]
        attended = self._attend(queries, normed, wanted, image_rotary_emb, joint_attention_kwargs or {})
        joined = torch.cat([attended, self.act_mlp(self.proj_mlp(queries))], dim=2)
        return encoder_hidden_states, hidden_states[:, :target_tokens] + gate.unsqueeze(1) * self.proj_out(joined)

    def _attend(
        self,
        queries: Tensor,
        tokens: Tensor,
        wanted: slice,
        rotary: tuple[Tensor, Tensor] | None,
        attention_kwargs: dict[str, Any],
    ) -> Tensor:
        attention = self.attn
        processor: Any = attention.processor
        query: Tensor
        key: Tensor
        query = attention.norm_q(attention.to_q(queries).unflatten(-1, (-1, attention.head_dim)))
        key = attention.norm_k(attention.to_k(tokens).unflatten(-1, (-1, attention.head_dim)))
        value = attention.to_v(tokens).unflatten(-1, (-1, attention.head_dim))
        if rotary is not None:
            cos, sin = rotary
            query = _rotated(query, (cos[wanted], sin[wanted]))
            key = _rotated(key, rotary)
        attended = dispatch_attention_fn(
            query,
            key,
            value,
            attn_mask=attention_kwargs.get("attention_mask"),
            backend=processor._attention_backend,
            parallel_config=processor._parallel_config,
        )
        return attended.flatten(2, 3).to(queries.dtype)


def _rotated(heads: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    rotated = apply_rotary_emb(heads, rotary, sequence_dim=1)  # pyright: ignore[reportArgumentType] - its hint is wrong
    assert isinstance(rotated, Tensor)
    return rotated


for _block in (Step1XEditTransformerBlock, Step1XEditSingleTransformerBlock):
    # The caching hooks (first-block cache, MagCache, ...) find a block's inputs and outputs through this registry. Its
    # own `register` would import every model of diffusers at this point, which costs seconds.
    TransformerBlockRegistry._registry[_block] = TransformerBlockMetadata(
        return_hidden_states_index=1, return_encoder_hidden_states_index=0, _cls=_block
    )
