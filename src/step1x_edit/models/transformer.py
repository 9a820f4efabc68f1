"""The diffusion transformer: target and reference tokens, context, global vector and time become velocity (Fig. 4).

A FLUX layout of double and single blocks without guidance embedding. The reference image's latents are more tokens of the
same sequence; only target tokens are read out. The connector lives inside, since the published checkpoints hold both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.loaders import FromOriginalModelMixin, PeftAdapterMixin
from diffusers.models._modeling_parallel import ContextParallelInput, ContextParallelOutput
from diffusers.models.attention import AttentionMixin
from diffusers.models.cache_utils import CacheMixin
from diffusers.models.embeddings import Timesteps
from diffusers.models.modeling_outputs import Transformer2DModelOutput
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.transformers.transformer_flux import FluxPosEmbed
from diffusers.utils.accelerate_utils import apply_forward_hook
from diffusers.utils.peft_utils import apply_lora_scale
from jaxtyping import Float, Int
from torch import Tensor, nn

from step1x_edit.models.blocks import (
    Step1XEditFinalNorm,
    Step1XEditSingleTransformerBlock,
    Step1XEditTransformerBlock,
)
from step1x_edit.models.connector import Connector, RefinerState

__all__ = ["ModulationStep", "PreparedEdit", "Step1XEditTransformer2DModel"]

_TIME_SCALE = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulationStep:
    """Every block's shifts, scales and gates at one time."""

    double: tuple[Float[Tensor, "batch twelve_dims"], ...]
    single: tuple[Float[Tensor, "batch three_dims"], ...]
    final: Float[Tensor, "batch two_dims"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedEdit:
    """Everything of one edit that no time step changes, computed once by :meth:`Step1XEditTransformer2DModel.prepare`."""

    refiner: RefinerState
    vector_embedding: Float[Tensor, "batch dim"]
    text_mapping: Float[Tensor, "batch tokens context"] | None
    """Added to the context: mapped input embeddings of quoted tokens (v1.2)."""
    rotary: tuple[Tensor, Tensor]
    """Cosines and sines of [context ; target ; reference], each tokens x head_dim, fp32."""
    steps: tuple[ModulationStep, ...] = ()
    """Modulation at each time of the run; empty when it was not computed beforehand."""


class Step1XEditTransformer2DModel(
    ModelMixin, ConfigMixin, PeftAdapterMixin, FromOriginalModelMixin, CacheMixin, AttentionMixin
):
    """The diffusion transformer of every Step1X-Edit release, connector included.

    Args:
        patch_size: Latent pixels of a token's side inside this network (1: tokens are packed outside).
        in_channels: Channels of a packed token (16 latent channels x 2 x 2).
        out_channels: Channels of the velocity; ``None`` for ``in_channels``.
        num_layers: Double blocks.
        num_single_layers: Single blocks.
        attention_head_dim: Width of a head.
        num_attention_heads: Heads.
        joint_attention_dim: Width of the context that enters the blocks' embedding.
        timestep_in_dim: Sinusoids of the time.
        vector_in_dim: Width of the global vector.
        connector_in_channels: Width of the conditioning.
        connector_hidden_size: Width of the connector.
        connector_heads_num: Heads of the connector.
        connector_depth: Blocks of the connector.
        guidance_embeds: Must be false; the releases are guided by two passes, not by an embedding.
        axes_dims_rope: Dimensions of a head rotated by each of the three ids.
        enable_text_token_mapping: Whether quoted tokens' input embeddings are mapped onto the context (v1.2).
        release: Id of the release the weights belong to.
        conventions: The release's record (:class:`step1x_edit.schema.release.Conventions` as a dictionary).

    Source:
        Published ``transformer/config.json``; the two last arguments are ours.
    """

    _supports_gradient_checkpointing = True
    _no_split_modules: ClassVar = ["Step1XEditTransformerBlock", "Step1XEditSingleTransformerBlock"]
    _repeated_blocks: ClassVar = ["Step1XEditTransformerBlock", "Step1XEditSingleTransformerBlock"]
    _skip_layerwise_casting_patterns: ClassVar = ["pos_embed", "norm"]
    # The connector needs the context whole, so it is split behind it; image tokens and ids are split at the door.
    _cp_plan: ClassVar = {
        "": {
            "hidden_states": ContextParallelInput(split_dim=1, expected_dims=3, split_output=False),
            "img_ids": ContextParallelInput(split_dim=0, expected_dims=2, split_output=False),
            "txt_ids": ContextParallelInput(split_dim=0, expected_dims=2, split_output=False),
        },
        "context_embedder": {0: ContextParallelInput(split_dim=1, expected_dims=3, split_output=True)},
        "proj_out": ContextParallelOutput(gather_dim=1, expected_dims=3),
    }

    @register_to_config
    def __init__(
        self,
        patch_size: int = 1,
        in_channels: int = 64,
        out_channels: int | None = None,
        num_layers: int = 19,
        num_single_layers: int = 38,
        attention_head_dim: int = 128,
        num_attention_heads: int = 24,
        joint_attention_dim: int = 4096,
        timestep_in_dim: int = 256,
        vector_in_dim: int = 768,
        connector_in_channels: int = 3584,
        connector_hidden_size: int = 4096,
        connector_heads_num: int = 32,
        connector_depth: int = 2,
        guidance_embeds: bool = False,
        axes_dims_rope: Sequence[int] = (16, 56, 56),
        enable_text_token_mapping: bool = False,
        release: str | None = None,  # noqa: ARG002 - kept in the config
        conventions: dict[str, Any] | None = None,  # noqa: ARG002 - kept in the config
    ) -> None:
        super().__init__()
        if guidance_embeds:
            raise ValueError("guidance_embeds must be false: no Step1X-Edit release has a guidance embedding")
        self.out_channels = out_channels or in_channels
        self.inner_dim = dim = num_attention_heads * attention_head_dim
        block_shape = (dim, num_attention_heads, attention_head_dim)

        self.connector = Connector(
            in_channels=connector_in_channels,
            hidden_size=connector_hidden_size,
            heads=connector_heads_num,
            depth=connector_depth,
            vector_channels=vector_in_dim,
        )
        if enable_text_token_mapping:
            self.text_token_mapping = nn.Linear(connector_in_channels, connector_hidden_size)
        self.time_proj = Timesteps(timestep_in_dim, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embed = _EmbeddingMLP(timestep_in_dim, dim)
        self.vec_embed = _EmbeddingMLP(vector_in_dim, dim)
        self.pos_embed = FluxPosEmbed(theta=10000, axes_dim=list(axes_dims_rope))
        self.context_embedder = nn.Linear(joint_attention_dim, dim)
        self.x_embedder = nn.Linear(in_channels, dim)
        self.transformer_blocks = nn.ModuleList(Step1XEditTransformerBlock(*block_shape) for _ in range(num_layers))
        self.single_transformer_blocks = nn.ModuleList(
            Step1XEditSingleTransformerBlock(*block_shape) for _ in range(num_single_layers)
        )
        self.norm_out = Step1XEditFinalNorm(dim)
        self.proj_out = nn.Linear(dim, patch_size * patch_size * self.out_channels)
        self.gradient_checkpointing = False

    @classmethod
    def from_single_file(  # pyright: ignore[reportIncompatibleMethodOverride] - a release must be named
        cls,
        pretrained_model_link_or_path_or_dict: str | Path,
        *,
        release: str,
        config: Mapping[str, Any] | None = None,
        torch_dtype: torch.dtype | None = None,
    ) -> Step1XEditTransformer2DModel:
        """Load a published single file; the same as :func:`step1x_edit.models.checkpoint.load_transformer`.

        Args:
            pretrained_model_link_or_path_or_dict: A safetensors file on this machine; nothing is downloaded.
            release: Id of the release; shapes do not tell.
            config: Sizes that differ from the published ones.
            torch_dtype: Type of the loaded weights.
        """
        from step1x_edit.models.checkpoint import load_transformer

        return load_transformer(
            pretrained_model_link_or_path_or_dict, release=release, config=config, dtype=torch_dtype
        )

    @apply_forward_hook
    def prepare(
        self,
        encoder_hidden_states: Float[Tensor, "batch tokens hidden"],
        prompt_embeds_mask: Int[Tensor, "batch tokens"],
        img_ids: Float[Tensor, "*any image_tokens 3"],
        txt_ids: Float[Tensor, "*any text_tokens 3"],
        *,
        text_embeddings: Float[Tensor, "batch tokens hidden"] | None = None,
        text_mask: Int[Tensor, "batch tokens"] | None = None,
        times: Float[Tensor, " steps"] | None = None,
    ) -> PreparedEdit:
        """Compute what stays the same over the time steps of an edit; give the result to :meth:`forward` as ``prepared``.

        Args:
            encoder_hidden_states: Conditioning.
            prompt_embeds_mask: 1 for real tokens, 0 for pads.
            img_ids: Positions of target and reference tokens.
            txt_ids: Positions of context tokens.
            text_embeddings: Input embeddings of the multimodal LLM (v1.2).
            text_mask: 1 where a token is quoted text (v1.2).
            times: The run's times; when given, every block's modulation is computed for all of them in one pass.
        """
        refiner = self.connector.prepare(encoder_hidden_states, prompt_embeds_mask)
        mapping = None
        if self.config["enable_text_token_mapping"] and text_embeddings is not None and text_mask is not None:
            mapping = self.text_token_mapping(text_embeddings) * text_mask.unsqueeze(-1).to(text_embeddings.dtype)
        vector_embedding = self.vec_embed(refiner.global_vector)
        return PreparedEdit(
            refiner=refiner,
            vector_embedding=vector_embedding,
            text_mapping=mapping,
            rotary=self.pos_embed(torch.cat([_flat_ids(txt_ids), _flat_ids(img_ids)])),
            steps=() if times is None else self._modulation_steps(times, vector_embedding),
        )

    def _modulation_steps(self, times: Tensor, vector_embedding: Tensor) -> tuple[ModulationStep, ...]:
        """Run the modulation layers once over all times: they see one vector a sample, not tokens."""
        steps = len(times)
        embedding = (self._embed_time(times, vector_embedding.dtype)[:, None] + vector_embedding).flatten(0, 1)
        double = [_modulation_table(block, embedding, steps) for block in self.transformer_blocks]
        single = [_modulation_table(block, embedding, steps) for block in self.single_transformer_blocks]
        final = _modulation_table(self.norm_out, embedding, steps)
        return tuple(
            ModulationStep(
                double=tuple(table[step] for table in double),
                single=tuple(table[step] for table in single),
                final=final[step],
            )
            for step in range(steps)
        )

    def _embed_time(self, time: Float[Tensor, " batch"], dtype: torch.dtype) -> Float[Tensor, "batch dim"]:
        return self.time_embed(self.time_proj(time.float() * _TIME_SCALE).to(dtype))

    def _modulation_at(self, time: Tensor, prepared: PreparedEdit) -> ModulationStep:
        """Let each block compute its own modulation: hand it the time-and-vector embedding."""
        embedding = self._embed_time(time, prepared.vector_embedding.dtype) + prepared.vector_embedding
        return ModulationStep(
            double=(embedding,) * len(self.transformer_blocks),
            single=(embedding,) * len(self.single_transformer_blocks),
            final=embedding,
        )

    @apply_lora_scale("joint_attention_kwargs")
    def forward(
        self,
        hidden_states: Float[Tensor, "batch image_tokens channels"],
        encoder_hidden_states: Float[Tensor, "batch tokens hidden"] | None = None,
        prompt_embeds_mask: Int[Tensor, "batch tokens"] | None = None,
        timestep: Float[Tensor, " batch"] | None = None,
        img_ids: Float[Tensor, "*any image_tokens 3"] | None = None,
        txt_ids: Float[Tensor, "*any text_tokens 3"] | None = None,
        text_embeddings: Float[Tensor, "batch tokens hidden"] | None = None,
        text_mask: Int[Tensor, "batch tokens"] | None = None,
        joint_attention_kwargs: dict[str, Any] | None = None,
        return_dict: bool = True,
        *,
        target_tokens: int | None = None,
        prepared: PreparedEdit | None = None,
        step: int | None = None,
    ) -> Transformer2DModelOutput | tuple[Tensor]:
        """Return the velocity (noise minus image) of the image tokens.

        Args:
            hidden_states: Packed tokens, target first, then reference (none for text-to-image).
            encoder_hidden_states: Conditioning, the multimodal LLM's last hidden states.
            prompt_embeds_mask: 1 for real tokens, 0 for pads. Pads take part in the blocks, as the weights expect.
            timestep: Flow time in 0..1, 1 for noise.
            img_ids: Positions of the image tokens.
            txt_ids: Positions of the context tokens.
            text_embeddings: Input embeddings of the multimodal LLM (v1.2).
            text_mask: 1 where a token is quoted text (v1.2).
            joint_attention_kwargs: Passed to every block's attention, e.g. ``attention_mask`` as a bias on keys.
            return_dict: Whether to return an output record rather than a tuple.
            target_tokens: Return these many first positions only; the last block then skips queries nobody reads.
            prepared: Result of :meth:`prepare`; conditioning, masks and ids are then left out.
            step: Index into the times given to :meth:`prepare`, to use the modulation computed there.

        Source:
            Step1X-Edit report (arXiv:2504.17761), Fig. 4; argument names of the published diffusers class.
        """
        # 1. What no time step changes.
        if prepared is None:
            assert encoder_hidden_states is not None and prompt_embeds_mask is not None
            assert img_ids is not None and txt_ids is not None
            prepared = self.prepare(
                encoder_hidden_states,
                prompt_embeds_mask,
                img_ids,
                txt_ids,
                text_embeddings=text_embeddings,
                text_mask=text_mask,
            )

        # 2. Connector: conditioning and time to context.
        assert timestep is not None
        context, _ = self.connector(time=timestep, state=prepared.refiner)
        if prepared.text_mapping is not None:
            context = context + prepared.text_mapping

        # 3. Embeddings of image tokens, context, time and global vector.
        hidden_states = self.x_embedder(hidden_states)
        context = self.context_embedder(context)
        modulation = self._modulation_at(timestep, prepared) if step is None else prepared.steps[step]

        # 4. Double blocks: two streams, joint attention.
        for block, embedding in zip(self.transformer_blocks, modulation.double, strict=True):
            context, hidden_states = self._run(
                block, hidden_states, context, embedding, prepared.rotary, joint_attention_kwargs
            )

        # 5. Single blocks: one stream; the last one for the tokens that are read.
        reads = [None] * (len(self.single_transformer_blocks) - 1) + [self._last_reads(target_tokens)]
        for block, embedding, wanted in zip(self.single_transformer_blocks, modulation.single, reads, strict=True):
            context, hidden_states = self._run(
                block, hidden_states, context, embedding, prepared.rotary, joint_attention_kwargs, wanted
            )

        # 6. Velocity.
        velocity = self.proj_out(self.norm_out(hidden_states[:, :target_tokens], modulation.final))
        return Transformer2DModelOutput(sample=velocity) if return_dict else (velocity,)

    def _last_reads(self, target_tokens: int | None) -> int | None:
        """Caching hooks compare a block's input with its output, so with a cache every block returns all tokens."""
        return None if self.is_cache_enabled else target_tokens

    def _run(
        self,
        block: nn.Module,
        hidden_states: Tensor,
        context: Tensor,
        embedding: Tensor,
        rotary: tuple[Tensor, Tensor],
        attention_kwargs: dict[str, Any] | None,
        *wanted: int | None,
    ) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled() and self.gradient_checkpointing:
            assert self._gradient_checkpointing_func is not None
            return self._gradient_checkpointing_func(
                block, hidden_states, context, embedding, rotary, attention_kwargs, *wanted
            )
        extra = {"target_tokens": wanted[0]} if wanted and wanted[0] is not None else {}
        return block(
            hidden_states=hidden_states,
            encoder_hidden_states=context,
            temb=embedding,
            image_rotary_emb=rotary,
            joint_attention_kwargs=attention_kwargs,
            **extra,
        )


class _EmbeddingMLP(nn.Module):
    def __init__(self, in_channels: int, dim: int) -> None:
        super().__init__()
        self.in_layer = nn.Linear(in_channels, dim)
        self.out_layer = nn.Linear(dim, dim)

    def forward(self, values: Float[Tensor, "batch channels"]) -> Float[Tensor, "batch dim"]:
        return self.out_layer(nn.functional.silu(self.in_layer(values)))


def _modulation_table(layer: nn.Module, embedding: Tensor, steps: int) -> Tensor:
    """Return a layer's modulation as (steps, batch, values)."""
    assert isinstance(layer, Step1XEditTransformerBlock | Step1XEditSingleTransformerBlock | Step1XEditFinalNorm)
    return layer.modulation(embedding).unflatten(0, (steps, -1))


def _flat_ids(ids: Float[Tensor, "*any tokens 3"]) -> Float[Tensor, "tokens 3"]:
    """Accept ids with a batch dimension as the official code passes them; they are equal for all samples."""
    return ids[0] if ids.ndim == 3 else ids
