"""The loop from noise to target latents: which conditioning goes with which sample, guidance, and a watch for NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.hooks.group_offloading import _is_group_offload_enabled
from jaxtyping import Float
from torch import Tensor, nn

from step1x_edit.errors import NumericalError
from step1x_edit.models.conditioner import Conditioning
from step1x_edit.models.transformer import PreparedEdit, Step1XEditTransformer2DModel
from step1x_edit.sampling.guidance import guided_velocity
from step1x_edit.sampling.padding import FoldedConditioning, fold_padding
from step1x_edit.schema.release import Conventions

__all__ = ["GuidedFlow", "TransformerCall", "plan_calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerCall:
    """One pass of the transformer per step: samples that can share a batch."""

    name: str
    rows: list[int]
    """Rows of the doubled batch [conditional ; unconditional] that this call serves."""
    inputs: dict[str, Any]
    """Conditioning, mask and positions, by the names of the transformer's arguments."""
    prepared: PreparedEdit | None
    """What was made of ``inputs`` beforehand; nothing where hooks move or split the network during its forward."""
    attention: dict[str, Tensor]
    """Keyword arguments of the blocks' attention: the weights of folded pads."""


def plan_calls(
    transformer: Step1XEditTransformer2DModel,
    conditionings: Sequence[Conditioning],
    *,
    image_positions: Float[Tensor, "image_tokens 3"],
    times: Float[Tensor, " steps"],
    conventions: Conventions,
    device: torch.device | None = None,
) -> list[TransformerCall]:
    """Group the rows of the doubled batch into calls and prepare each.

    Padded releases share context positions and length, so all rows make one batch, their pads folded. In the others, rows
    with the same conditioning share a call.

    Args:
        transformer: The network.
        conditionings: One for each row; equal objects for rows with the same instruction.
        image_positions: Positions of target and reference tokens.
        times: Times of the run, without the final 0.
        conventions: The release's record.
        device: Where the network computes; where its weights lie by default.
    """
    if conventions.pad_text:
        groups = [list(range(len(conditionings)))]
    else:
        distinct = {id(item): item for item in conditionings}
        groups = [[row for row, item in enumerate(conditionings) if id(item) == key] for key in distinct]
    return [
        _plan_call(
            transformer,
            [conditionings[row] for row in rows],
            rows,
            image_positions=image_positions,
            times=times,
            conventions=conventions,
            device=device or transformer.device,
        )
        for rows in groups
    ]


def _plan_call(
    transformer: Step1XEditTransformer2DModel,
    conditionings: list[Conditioning],
    rows: list[int],
    *,
    image_positions: Tensor,
    times: Tensor,
    conventions: Conventions,
    device: torch.device,
) -> TransformerCall:
    split = transformer._parallel_config is not None
    if conventions.pad_text:
        length = conventions.max_text_tokens
        padded = _full_length(conditionings, length) if split else _folded(conditionings, length, transformer.dtype)
        inputs: dict[str, Any] = {
            "encoder_hidden_states": padded.tokens,
            "prompt_embeds_mask": padded.mask,
            "txt_ids": torch.zeros(padded.tokens.shape[1], 3),
        }
        bias = nn.functional.pad(padded.key_bias, (0, len(image_positions)))
        attention = {} if split else {"attention_mask": bias[:, None, None, :].to(device)}
    else:
        inputs, attention = _shared_inputs(conditionings[0], len(rows)), {}
    inputs["img_ids"] = image_positions
    inputs = {name: _brought(value, device, transformer.dtype, name=name) for name, value in inputs.items()}
    # Hooks load weights for the length of a module's forward, or split tokens at its door: nothing can be done ahead then.
    ahead = not split and not _is_group_offload_enabled(transformer)
    return TransformerCall(
        name=f"rows_{'_'.join(map(str, rows))}",
        rows=rows,
        inputs=inputs,
        prepared=transformer.prepare(**inputs, times=times.to(device)) if ahead else None,
        attention=attention,
    )


def _shared_inputs(conditioning: Conditioning, rows: int) -> dict[str, Any]:
    """Return the transformer's arguments for rows of the same conditioning."""

    def repeated(values: Tensor | None) -> Tensor | None:
        return None if values is None else values.expand(rows, *values.shape[1:])

    return {
        "encoder_hidden_states": repeated(conditioning.tokens),
        "prompt_embeds_mask": repeated(conditioning.mask),
        "txt_ids": conditioning.positions,
        "text_embeddings": repeated(conditioning.text_embeddings),
        "text_mask": repeated(conditioning.text_mask),
    }


def _brought(values: Tensor | None, device: torch.device, dtype: torch.dtype, *, name: str) -> Tensor | None:
    """Bring an argument to the network's device, and all but masks and positions to its type."""
    if values is None:
        return None
    return values.to(device, dtype if name in ("encoder_hidden_states", "text_embeddings") else values.dtype)


def _folded(conditionings: list[Conditioning], padded_length: int, dtype: torch.dtype) -> FoldedConditioning:
    tokens = nn.utils.rnn.pad_sequence([item.tokens[0] for item in conditionings], batch_first=True)
    mask = nn.utils.rnn.pad_sequence([item.mask[0] for item in conditionings], batch_first=True)
    return fold_padding(tokens, mask, padded_length=padded_length, dtype=dtype)


def _full_length(conditionings: list[Conditioning], padded_length: int) -> FoldedConditioning:
    """Return all pads, each weighing 1: split over processes, the tokens' order is no longer that of a bias."""
    grown = [(item, padded_length - item.tokens.shape[1]) for item in conditionings]
    tokens = torch.cat([nn.functional.pad(item.tokens, (0, 0, 0, pads)) for item, pads in grown])
    return FoldedConditioning(
        tokens=tokens,
        mask=torch.cat([nn.functional.pad(item.mask, (0, pads)) for item, pads in grown]),
        key_bias=torch.zeros(tokens.shape[:2], device=tokens.device),
    )


class GuidedFlow:
    """The velocity of the target tokens at a step of a run, guidance included.

    Args:
        transformer: The network.
        calls: Result of :func:`plan_calls`.
        reference: Packed reference latents (batch, tokens, channels); none for text-to-image.
        times: Times of the run, without the final 0.
        guidance_scale: 1 when there are no unconditional rows.
        conventions: The release's record.
    """

    def __init__(
        self,
        transformer: Step1XEditTransformer2DModel,
        calls: Sequence[TransformerCall],
        *,
        reference: Float[Tensor, "batch tokens channels"] | None,
        times: Float[Tensor, " steps"],
        guidance_scale: float,
        conventions: Conventions,
    ) -> None:
        self.transformer = transformer
        self.calls = calls
        self.reference = reference
        self.times = times
        self.guidance_scale = guidance_scale
        self.conventions = conventions
        self.guided = guidance_scale > 1

    @torch.no_grad()
    def velocity(self, latents: Float[Tensor, "batch tokens channels"], step: int) -> Tensor:
        """Return the velocity (noise minus image) of the target tokens in fp32.

        Raises:
            NumericalError: It holds NaN or infinity; names the first block that made one.
        """
        image_tokens = latents if self.reference is None else torch.cat([latents, self.reference], dim=1)
        image_tokens = torch.cat([image_tokens, image_tokens]) if self.guided else image_tokens
        velocity = torch.empty(len(image_tokens), *latents.shape[1:], dtype=torch.float32, device=latents.device)
        for call in self.calls:
            with self.transformer.cache_context(call.name):
                velocity[call.rows] = self._run(call, image_tokens[call.rows], step, latents.shape[1]).float()
        if not torch.isfinite(velocity).all():
            raise self._diagnosis(image_tokens, step, latents.shape[1])
        return self._guide(velocity, step)

    def _run(self, call: TransformerCall, image_tokens: Tensor, step: int, target_tokens: int) -> Tensor:
        ahead = call.prepared is not None
        constant = {"prepared": call.prepared, "step": step, "target_tokens": target_tokens} if ahead else call.inputs
        (velocity,) = self.transformer(
            image_tokens.to(self.transformer.dtype),
            timestep=self.times[step].to(image_tokens.device).expand(len(image_tokens)),
            joint_attention_kwargs=dict(call.attention),
            return_dict=False,
            **constant,
        )
        return velocity[:, :target_tokens]

    def _guide(self, velocity: Tensor, step: int) -> Tensor:
        if not self.guided:
            return velocity
        conditional, unconditional = velocity.chunk(2)
        clamped = float(self.times[step]) > self.conventions.clamp_above_time
        return guided_velocity(
            conditional,
            unconditional,
            scale=self.guidance_scale,
            clamp_power=self.conventions.clamp_power if clamped else None,
        )

    def _diagnosis(self, image_tokens: Tensor, step: int, target_tokens: int) -> NumericalError:
        """Run the step again with a watch on every block, to name the first that made a number that is not finite."""
        broken: list[str] = []
        handles = [
            module.register_forward_hook(lambda _module, _args, output, name=name: _note_broken(name, output, broken))
            for name, module in self.transformer.named_modules()
            if name and (name.count(".") < 1 or name.split(".")[-1].isdigit())
        ]
        try:
            for call in self.calls:
                self._run(call, image_tokens[call.rows], step, target_tokens)
        finally:
            for handle in handles:
                handle.remove()
        where = broken[0] if broken else "the modulation computed before the loop"
        return NumericalError(
            given=f"numbers that are not finite in step {step + 1} of {len(self.times)}, first in {where}",
            expected="finite numbers",
            remedy="Use dtype bfloat16 or float32, and check the weights with `step1x verify`.",
        )


def _note_broken(name: str, output: object, broken: list[str]) -> None:
    tensors = output if isinstance(output, tuple) else (output,)
    if any(isinstance(tensor, Tensor) and not torch.isfinite(tensor).all() for tensor in tensors):
        broken.append(name)
