"""Train nano's transformer and connector on encoded examples.

Weights of the blocks step along orthogonalised momentum (Muon), everything else follows AdamW. How the shipped weights were
made is written in the model card; the door is ``python -m step1x_edit.apps.nano_transformer``.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.sampling.positions import grid_positions, zero_positions
from step1x_edit.schema.release import Release
from step1x_edit.training.acceleration import attention_put_back
from step1x_edit.training.nano.encoded import EncodedExamples
from step1x_edit.training.nano.keeping import average_weights, save_network
from step1x_edit.training.objective import flow_loss, noisy_target, sample_times

__all__ = ["TransformerSettings", "build_transformer", "edit_loss", "train_transformer"]

_SIZES: dict[str, Any] = {
    "num_layers": 2,
    "num_single_layers": 5,
    "attention_head_dim": 64,
    "num_attention_heads": 4,
    "joint_attention_dim": 192,
    "vector_in_dim": 192,
    "connector_in_channels": 576,
    "connector_hidden_size": 192,
    "connector_heads_num": 3,
    "connector_depth": 2,
    "axes_dims_rope": (8, 28, 28),
}
_MASKED = -1e4
"""Added to the attention logits of padding; the release itself does not pad."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerSettings:
    """Settings of one run."""

    minutes: float
    """Wall time; the learning rate follows the share of it that has passed."""
    seed: int = 0
    batch: int = 64
    matrix_rate: float = 2e-3
    """Learning rate of the blocks' matrices (Muon, scaled to AdamW's step length)."""
    rate: float = 1e-3
    """Learning rate of everything else (AdamW)."""
    warm_up_steps: int = 100
    final_share: float = 0.05
    """Share of the learning rate at the end of the cosine."""
    changed_weight: float = 3.0
    """Weight of tokens that the edit changes; most tokens only copy."""
    position_jitter: int = 0
    """Largest number of tokens by which a batch's rows and columns are moved, target and reference alike. Square training
    pictures then still teach the rotary ids that wide and tall pictures have."""
    shift_by_tokens: bool = False
    """Whether training times lean towards noise as the schedule does."""
    checkpoint_seconds: float = 300.0


def build_transformer(release: Release) -> Step1XEditTransformer2DModel:
    """Build nano's transformer with the usual start: gates and output at zero, so that every block begins as identity."""
    network = Step1XEditTransformer2DModel(**_SIZES, release=release.id, conventions=release.conventions.model_dump())
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        if name.endswith(("norm1.linear", "norm1_context.linear", "norm.linear", "norm_out.linear")):
            nn.init.zeros_(module.weight)
    nn.init.zeros_(network.proj_out.weight)
    return network


def edit_loss(
    network: nn.Module, examples: EncodedExamples, settings: TransformerSettings, *, generator: torch.Generator
) -> Float[Tensor, ""]:
    """Noise the targets of a batch, ask for their velocity, and return the weighted flow loss."""
    batch, tokens, _ = examples.target.shape
    side = math.isqrt(tokens)
    target = examples.target.float()
    noise = torch.randn(target.shape, generator=generator)
    times = sample_times(batch, target_tokens=tokens if settings.shift_by_tokens else None, generator=generator)
    image_tokens = torch.cat([noisy_target(target, noise, times), examples.reference.float()], dim=1)
    grid = torch.cat([grid_positions(rows=side, columns=side), grid_positions(rows=side, columns=side, axis=1)])
    grid[:, 1:] += torch.randint(settings.position_jitter + 1, (2,), generator=generator)
    padding = (~examples.mask).float() * _MASKED
    with torch.autocast("cpu", torch.bfloat16):
        (velocity,) = network(
            image_tokens,
            encoder_hidden_states=examples.conditioning.float(),
            prompt_embeds_mask=examples.mask.long(),
            timestep=times,
            img_ids=grid,
            txt_ids=zero_positions(examples.mask.shape[1]),
            joint_attention_kwargs={"attention_mask": nn.functional.pad(padding, (0, 2 * tokens))[:, None, None, :]},
            target_tokens=tokens,
            return_dict=False,
        )
    weights = 1 + (settings.changed_weight - 1) * examples.changed.float()
    return flow_loss(velocity, target, noise, token_weights=weights)


def train_transformer(
    network: Step1XEditTransformer2DModel,
    batches: Iterator[EncodedExamples],
    settings: TransformerSettings,
    *,
    folder: Path,
) -> Step1XEditTransformer2DModel:
    """Train for the given time; return the running mean of the weights, which is also what ``folder`` holds.

    Args:
        network: Network to start from, new or loaded; it is changed.
        batches: Encoded examples, all of one size and text length.
        settings: Settings of the run.
        folder: Where checkpoints go, each replacing the one before.
    """
    with attention_put_back():
        return _trained(network, batches, settings, folder=folder)


def _trained(
    network: Step1XEditTransformer2DModel,
    batches: Iterator[EncodedExamples],
    settings: TransformerSettings,
    *,
    folder: Path,
) -> Step1XEditTransformer2DModel:
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    averaged = copy.deepcopy(network).requires_grad_(False)
    # Attention as plain matrix products in bfloat16: on a CPU a quarter of the fused kernel's time, forward and backward.
    network.set_attention_backend("_native_math")
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    compiled: Any = torch.compile(network, dynamic=False)
    optimizers = _optimizers(network, settings)
    start = saved = time.monotonic()
    step, recent, progress = 0, None, 0.0
    while progress < 1:
        # 1. The clock decides the learning rate.
        share = min(1, (step + 1) / settings.warm_up_steps) * _cosine(progress, settings.final_share)
        for optimizer, rate in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * share
        # 2. One step of the optimisers, one of the running mean.
        loss = edit_loss(compiled, next(batches), settings, generator=generator)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer, _ in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        average_weights(averaged, network, step)
        # 3. Log and keep.
        step += 1
        value = float(loss.detach())
        recent = value if recent is None else 0.98 * recent + 0.02 * value
        now = time.monotonic()
        progress = (now - start) / (60 * settings.minutes)
        if step % 20 == 0:
            speed = step * settings.batch / (now - start)
            log.info("step %d  %.1f min  loss %.4f  %.1f samples/s", step, (now - start) / 60, recent, speed)
        if now - saved > settings.checkpoint_seconds or progress >= 1:
            saved = now
            save_network(averaged, folder)
    return averaged


def _cosine(progress: float, floor: float) -> float:
    return floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


def _optimizers(network: nn.Module, settings: TransformerSettings) -> list[tuple[torch.optim.Optimizer, float]]:
    matrices, rest = [], []
    for name, weight in network.named_parameters():
        in_block = "blocks." in name and weight.ndim == 2 and "norm" not in name and "adaLN" not in name
        (matrices if in_block else rest).append(weight)
    muon = torch.optim.Muon(
        matrices, lr=settings.matrix_rate, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
    )
    adamw = torch.optim.AdamW(rest, lr=settings.rate, betas=(0.9, 0.99), weight_decay=0.0)
    return [(muon, settings.matrix_rate), (adamw, settings.rate)]
