"""One step of training: a batch and the network become a loss, for every release.

The time goes once, in 0..1, to transformer and connector alike; the released trainer hands the connector a time that is
1000 times too large. Ids and padding come from the release's record, also where the released trainer takes v1.0's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from step1x_edit.errors import RequestError
from step1x_edit.sampling.positions import grid_positions
from step1x_edit.schema.release import Conventions
from step1x_edit.training.config import ObjectiveConfig
from step1x_edit.training.contexts import Context, join_conditionings
from step1x_edit.training.draws import StepSeed, draw_flow, draw_moves
from step1x_edit.training.examples import Batch
from step1x_edit.training.objective import example_losses, noisy_target

__all__ = ["StepLoss", "flow_step_loss", "image_positions", "token_weights"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLoss:
    """What one step gives."""

    loss: Float[Tensor, ""]
    """Mean over the examples, fp32; call ``backward`` on it."""
    per_example: Float[Tensor, " batch"]
    """Each example's loss, detached."""
    times: Float[Tensor, " batch"]
    """Each example's time in 0..1."""


def flow_step_loss(
    transformer: nn.Module, batch: Batch, *, objective: ObjectiveConfig, conventions: Conventions, seed: StepSeed
) -> StepLoss:
    """Noise the targets, ask the network for their velocity, and compare it with noise minus image.

    Args:
        transformer: :class:`~step1x_edit.models.transformer.Step1XEditTransformer2DModel`, adapted, compiled or wrapped.
        batch: Examples after instruction dropout, on any device.
        objective: Times, weights, and moves of positions.
        conventions: The release's record.
        seed: Where the batch stands; decides times, noise and moves.

    Raises:
        RequestError: The batch has no reference image and the release makes no pictures from text, or positions are to
            be moved under a release whose text tokens have places in the picture.

    Source:
        Step1X-Edit report (arXiv:2504.17761), section 3; ``finetuning.py`` of the released code.
    """
    _refuse_what_the_release_lacks(batch, objective, conventions)
    device = next(transformer.parameters()).device
    # 1. A point on the straight path from target to noise, for each example.
    draws = draw_flow(seed, objective, tokens=batch.target.shape[1], channels=batch.target.shape[2])
    target, noise, times = batch.target.to(device).float(), draws.noise.to(device), draws.times.to(device)
    image_tokens = noisy_target(target, noise, times)
    if batch.reference is not None:
        image_tokens = torch.cat([image_tokens, batch.reference.to(device).float()], dim=1)
    # 2. The network's velocity of the target tokens.
    positions = image_positions(batch, conventions=conventions)
    positions[:, 1:] += draw_moves(seed, objective.position_jitter)
    velocity = _velocity(transformer, batch, image_tokens, times, positions.to(device), conventions)
    # 3. Its distance to noise minus image.
    losses = example_losses(velocity, target, noise, weights=token_weights(batch, objective.changed_weight, device))
    return StepLoss(loss=losses.mean(), per_example=losses.detach(), times=times)


def image_positions(batch: Batch, *, conventions: Conventions) -> Float[Tensor, "image_tokens 3"]:
    """Return the rotary ids of target and, where there is one, reference tokens, as the release places them."""
    target = grid_positions(rows=batch.rows, columns=batch.columns)
    if batch.reference is None:
        return target
    reference = grid_positions(
        rows=batch.rows,
        columns=batch.columns,
        axis=conventions.reference_axis,
        offset=conventions.reference_offset,
    )
    return torch.cat([target, reference])


def token_weights(batch: Batch, changed_weight: float, device: torch.device) -> Float[Tensor, "batch tokens"] | None:
    """Return 1 for tokens that stay and ``changed_weight`` for tokens that change, in proportion for those between.

    ``None`` where all weigh alike.
    """
    if batch.changed is None or changed_weight == 1:
        return None
    return 1 + (changed_weight - 1) * batch.changed.to(device).float()


def _velocity(
    transformer: nn.Module,
    batch: Batch,
    image_tokens: Float[Tensor, "batch image_tokens channels"],
    times: Float[Tensor, " batch"],
    positions: Float[Tensor, "image_tokens 3"],
    conventions: Conventions,
) -> Float[Tensor, "batch tokens channels"]:
    dtype = _compute_dtype(transformer, image_tokens.device)
    contexts = join_conditionings(batch.conditionings, conventions=conventions, dtype=dtype)
    parts = [
        _call(transformer, context, image_tokens.to(dtype), times, positions, target_tokens=batch.target.shape[1])
        for context in contexts
    ]
    if len(parts) == 1:
        return parts[0]
    order = torch.tensor([row for context in contexts for row in context.rows])
    return torch.cat(parts)[order.argsort().to(image_tokens.device)]


def _call(
    transformer: nn.Module,
    context: Context,
    image_tokens: Float[Tensor, "batch image_tokens channels"],
    times: Float[Tensor, " batch"],
    positions: Float[Tensor, "image_tokens 3"],
    *,
    target_tokens: int,
) -> Float[Tensor, "rows tokens channels"]:
    device, dtype, rows = image_tokens.device, image_tokens.dtype, list(context.rows)
    attention = None
    if context.key_bias is not None:
        bias = nn.functional.pad(context.key_bias, (0, image_tokens.shape[1]))
        attention = {"attention_mask": bias[:, None, None, :].to(device)}
    embeddings, quoted = context.text_embeddings, context.text_mask
    (velocity,) = transformer(
        image_tokens[rows],
        encoder_hidden_states=context.tokens.to(device),
        prompt_embeds_mask=context.mask.to(device),
        timestep=times[rows],
        img_ids=positions,
        txt_ids=context.positions.to(device),
        text_embeddings=None if embeddings is None else embeddings.to(device, dtype),
        text_mask=None if quoted is None else quoted.to(device),
        joint_attention_kwargs=attention,
        target_tokens=target_tokens,
        return_dict=False,
    )
    return velocity


def _compute_dtype(transformer: nn.Module, device: torch.device) -> torch.dtype:
    """Return the type of the network's activations: autocast's inside it, the frozen weights' otherwise."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    network = transformer
    while isinstance(inner := getattr(network, "module", None), nn.Module):
        network = inner
    dtype = network.dtype
    assert isinstance(dtype, torch.dtype)
    return dtype


def _refuse_what_the_release_lacks(batch: Batch, objective: ObjectiveConfig, conventions: Conventions) -> None:
    if batch.reference is None and not conventions.text_to_image:
        raise RequestError(
            given="a batch without reference images",
            expected="a release that makes pictures from text, which of the published ones v1.1 is",
            remedy="Train v1.1, or leave pairs without a reference image out.",
        )
    if objective.position_jitter and conventions.text_positions == "mllm":
        raise RequestError(
            given=f"position_jitter = {objective.position_jitter}",
            expected="0 for this release, whose text tokens have places in the picture",
            remedy="Set objective.position_jitter to 0.",
        )
