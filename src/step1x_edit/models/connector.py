"""The connector: conditioning and time become context tokens and one global vector (paper section 3, "token refiner").

Module names are those of the published checkpoints, so the weights load by name.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

__all__ = ["Connector", "RefinerState"]

_TIME_CHANNELS = 256
_TIME_SCALE = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RefinerState:
    """What the connector needs at every time step but that no time step changes."""

    tokens: Float[Tensor, "batch tokens context"]
    """Conditioning after the input embedding, pads included."""
    pooled: Float[Tensor, "batch context"]
    """Embedded mean of the valid conditioning, half of what drives the gates."""
    attention_mask: Bool[Tensor, "batch 1 tokens tokens"]
    global_vector: Float[Tensor, "batch vector"]


class Connector(nn.Module):
    """Refine the multimodal LLM's hidden states for the diffusion transformer.

    Args:
        in_channels: Width of the conditioning (3584).
        hidden_size: Width of the context (4096).
        heads: Attention heads of a refiner block (32).
        depth: Refiner blocks (2).
        vector_channels: Width of the global vector (768).
    """

    def __init__(self, *, in_channels: int, hidden_size: int, heads: int, depth: int, vector_channels: int) -> None:
        super().__init__()
        self.S = _TokenRefiner(in_channels=in_channels, hidden_size=hidden_size, heads=heads, depth=depth)
        self.global_proj_out = nn.Linear(in_channels, vector_channels)

    def prepare(
        self, conditioning: Float[Tensor, "batch tokens hidden"], mask: Int[Tensor, "batch tokens"]
    ) -> RefinerState:
        """Compute everything that does not depend on time, once per edit.

        Args:
            conditioning: Last hidden states of the multimodal LLM.
            mask: 1 for real tokens, 0 for pads.
        """
        weight = mask.unsqueeze(-1).to(conditioning.dtype)
        mean = (conditioning * weight).sum(1) / weight.sum(1)
        return RefinerState(
            tokens=self.S.input_embedder(conditioning),
            pooled=self.S.c_embedder(mean),
            attention_mask=_attention_mask(mask.bool()),
            global_vector=self.global_proj_out(mean),
        )

    def forward(
        self,
        conditioning: Float[Tensor, "batch tokens hidden"] | None = None,
        time: Float[Tensor, " batch"] | None = None,
        mask: Int[Tensor, "batch tokens"] | None = None,
        state: RefinerState | None = None,
    ) -> tuple[Float[Tensor, "batch tokens context"], Float[Tensor, "batch vector"]]:
        """Return context tokens and the global vector.

        Args:
            conditioning: Last hidden states of the multimodal LLM; left out when ``state`` is given.
            time: Flow time, 1 for noise and 0 for the image (not multiplied by 1000).
            mask: 1 for real tokens, 0 for pads; left out when ``state`` is given.
            state: Result of :meth:`prepare`.

        Source:
            ``Qwen2Connector`` of the released code; v1.0's scale factor is folded into ``global_proj_out`` on loading.
        """
        if state is None:
            assert conditioning is not None and mask is not None
            state = self.prepare(conditioning, mask)
        assert time is not None
        return self.S(state, time), state.global_vector


def _attention_mask(valid: Bool[Tensor, "batch tokens"]) -> Bool[Tensor, "batch 1 tokens tokens"]:
    """Real tokens see real tokens; everyone sees token 0, so that no pad's row is empty (pads see token 0 alone)."""
    pairs = valid[:, None, :, None] & valid[:, None, None, :]
    first = torch.zeros_like(pairs)
    first[..., 0] = True
    return pairs | first


class _TokenRefiner(nn.Module):
    """Time- and content-gated self-attention blocks (HunyuanVideo's single token refiner without output projection)."""

    def __init__(self, *, in_channels: int, hidden_size: int, heads: int, depth: int) -> None:
        super().__init__()
        self.input_embedder = nn.Linear(in_channels, hidden_size)
        self.t_embedder = _TimeEmbedder(hidden_size)
        self.c_embedder = TimestepEmbedding(in_channels, hidden_size)
        blocks = nn.ModuleList(_RefinerBlock(hidden_size, heads=heads) for _ in range(depth))
        self.individual_token_refiner = nn.ModuleDict({"blocks": blocks})

    def forward(self, state: RefinerState, time: Float[Tensor, " batch"]) -> Float[Tensor, "batch tokens context"]:
        tokens = state.tokens
        gates_from = self.t_embedder(time * _TIME_SCALE, tokens.dtype) + state.pooled
        blocks = self.individual_token_refiner["blocks"]
        assert isinstance(blocks, nn.ModuleList)
        for block in blocks:
            tokens = block(tokens, gates_from, state.attention_mask)
        return tokens


class _TimeEmbedder(nn.Module):
    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.sinusoids = Timesteps(_TIME_CHANNELS, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.mlp = nn.Sequential(nn.Linear(_TIME_CHANNELS, hidden_size), nn.SiLU(), nn.Linear(hidden_size, hidden_size))

    def forward(self, scaled_time: Float[Tensor, " batch"], dtype: torch.dtype) -> Float[Tensor, "batch context"]:
        # Cast to the compute type: weights may be stored in fp8, and the released code rounded the sinusoids to that.
        return self.mlp(self.sinusoids(scaled_time).to(dtype))


class _RefinerBlock(nn.Module):
    def __init__(self, hidden_size: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(hidden_size, eps=1e-6)
        self.self_attn_qkv = nn.Linear(hidden_size, 3 * hidden_size)
        self.self_attn_proj = nn.Linear(hidden_size, hidden_size)
        self.norm2 = nn.LayerNorm(hidden_size, eps=1e-6)
        widened = 4 * hidden_size
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(hidden_size, widened), "fc2": nn.Linear(widened, hidden_size)})
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(hidden_size, 2 * hidden_size))

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens context"],
        gates_from: Float[Tensor, "batch context"],
        attention_mask: Bool[Tensor, "batch 1 tokens tokens"],
    ) -> Float[Tensor, "batch tokens context"]:
        attention_gate, mlp_gate = self.adaLN_modulation(gates_from).unsqueeze(1).chunk(2, dim=-1)
        tokens = tokens + attention_gate * self._attend(self.norm1(tokens), attention_mask)
        hidden = nn.functional.silu(self.mlp["fc1"](self.norm2(tokens)))
        return tokens + mlp_gate * self.mlp["fc2"](hidden)

    def _attend(self, tokens: Tensor, attention_mask: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.self_attn_qkv(tokens).chunk(3, dim=-1)
        )
        attended = scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        return self.self_attn_proj(attended.transpose(1, 2).flatten(2))
