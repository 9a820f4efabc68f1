"""Faster and smaller steps with the same numbers: what is kept for the backward pass, compiled blocks, attention on a CPU."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.models.attention_dispatch import _AttentionBackendRegistry
from torch import nn
from torch.utils.checkpoint import (
    CheckpointPolicy,
    SelectiveCheckpointContext,
    checkpoint,
    create_selective_checkpoint_contexts,
)

from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.training.config import RunConfig

__all__ = [
    "accelerate_training",
    "attention_put_back",
    "choose_attention",
    "keep_less",
    "share_activations_with_adapters",
]

_DEAR_INNER_SIZE = 256
"""Products over at least so many numbers are kept; those of an adapter's rank are as cheap to repeat as a norm."""
_SCORES_MIB = 128
"""Largest attention scores of a block for which plain products are taken on a CPU: they are kept for the backward pass."""
_MIB = 1 << 20
_PRODUCTS = {
    torch.ops.aten.mm.default: 0,
    torch.ops.aten.addmm.default: 1,
    torch.ops.aten._int_mm.default: 0,
    torch.ops.aten._scaled_mm.default: 0,
}
"""Matrix products, and which argument's last size they sum over."""


def accelerate_training(network: Step1XEditTransformer2DModel, run: RunConfig, *, tokens: int) -> None:
    """Set a network up for training as a run asks; call it after adapters are on and before the processes wrap it.

    Args:
        network: The network that learns; changed.
        run: Batch, checkpointing, compilation and type of computation.
        tokens: Tokens of the largest example: context, target and reference.
    """
    choose_attention(network, batch=run.batch, tokens=tokens)
    if run.precision == "bf16":
        share_activations_with_adapters(network)
    # A compiled block decides by itself what to compute again.
    keep_less(network, share=run.activation_checkpointing, cheap=run.cheap_recomputation and not run.compile)
    if run.compile:
        network.compile_repeated_blocks()


def keep_less(network: Step1XEditTransformer2DModel, *, share: float, cheap: bool) -> None:
    """Compute activations again in the backward pass instead of keeping them.

    Args:
        network: The network; changed.
        share: Share of the blocks, evenly spread, that keep nothing but their input (a third more time for all).
        cheap: Whether the other blocks keep only what is dear: large matrix products and attention. Norms, modulation,
            rotation, activation and the adapters' small products are computed again.
    """
    if not share and not cheap:
        network.disable_gradient_checkpointing()
        return
    blocks = [*network.transformer_blocks, *network.single_transformer_blocks]
    chosen = {block for index, block in enumerate(blocks) if int((index + 1) * share) > int(index * share)}
    dear_kept = functools.partial(create_selective_checkpoint_contexts, _policy)

    def run_block(block: nn.Module, *inputs: Any) -> Any:
        if block in chosen:
            return checkpoint(block, *inputs, use_reentrant=False)
        if cheap:
            return checkpoint(block, *inputs, use_reentrant=False, context_fn=dear_kept)
        return block(*inputs)

    network.enable_gradient_checkpointing(run_block)


def choose_attention(network: Step1XEditTransformer2DModel, *, batch: int, tokens: int) -> None:
    """Compute attention as plain products on a CPU where that is faster: a quarter of the fused kernel's time for nano.

    Call it inside :func:`attention_put_back`.

    The scores are then kept for the backward pass, so longer sequences stay with the fused kernel, as does every GPU.

    Args:
        network: The network; its attention processors are changed.
        batch: Examples of a step.
        tokens: Tokens of the largest example.
    """
    scores_mib = 2 * batch * network.config["num_attention_heads"] * tokens**2 / _MIB
    plain = network.device.type == "cpu" and scores_mib <= _SCORES_MIB
    if plain:
        # Without this torch would carry the products out in fp32. The name is old: it acts on every device.
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    active, _ = _AttentionBackendRegistry.get_active_backend()
    network.set_attention_backend("_native_math" if plain else "native")
    # diffusers makes the choice that of every network in the process; previews and later edits keep theirs.
    _AttentionBackendRegistry.set_active_backend(active)


@contextmanager
def attention_put_back() -> Iterator[None]:
    """Let the choice of attention end with the block: diffusers and torch both keep it for the whole process."""
    active, _ = _AttentionBackendRegistry.get_active_backend()
    reduced = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    try:
        yield
    finally:
        _AttentionBackendRegistry.set_active_backend(active)
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(reduced)


def share_activations_with_adapters(network: nn.Module) -> None:
    """Let adapters read activations in the type they have; for computation under autocast.

    peft brings each adapter's input to the adapter's own type, fp32, and autocast brings it back to bf16: the same numbers,
    but one more copy kept for each adapted layer.
    """
    for module in network.modules():
        if hasattr(module, "lora_A"):
            setattr(module, "cast_input_dtype_enabled", False)  # noqa: B010 - peft declares it nowhere


def _policy(_context: SelectiveCheckpointContext, op: Any, *args: Any, **_options: Any) -> CheckpointPolicy:
    if op in _PRODUCTS:
        dear = args[_PRODUCTS[op]].shape[-1] >= _DEAR_INNER_SIZE
    else:
        dear = op is torch.ops.aten.bmm.default or "_scaled_dot_product" in str(op)
    return CheckpointPolicy.MUST_SAVE if dear else CheckpointPolicy.PREFER_RECOMPUTE
