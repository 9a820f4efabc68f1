"""The loop from noise to target latents: which conditioning goes with which sample, guidance, and a watch for NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from step1x_edit.errors import NumericalError
from step1x_edit.models.conditioner import Conditioning
from step1x_edit.models.transformer import PreparedEdit, Step1XEditTransformer2DModel
from step1x_edit.sampling.guidance import guided_velocity
from step1x_edit.sampling.padding import fold_padding
from step1x_edit.schema.release import Conventions

__all__ = ["GuidedFlow", "TransformerCall", "plan_calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerCall:
    """One pass of the transformer per step: samples that can share a batch."""

    name: str
    rows: list[int]
    """Rows of the doubled batch [conditional ; unconditional] that this call serves."""
    prepared: PreparedEdit
    attention: dict[str, Tensor]
    """Keyword arguments of the blocks' attention: the weights of folded pads."""


def plan_calls(
    transformer: Step1XEditTransformer2DModel,
    conditionings: Sequence[Conditioning],
    *,
    image_positions: Float[Tensor, "image_tokens 3"],
    times: Float[Tensor, " steps"],
    conventions: Conventions,
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
    """
    if conventions.pad_text:
        groups = [list(range(len(conditionings)))]
    else:
        distinct = {id(item): item for item in conditionings}
        groups = [[row for row, item in enumerate(conditionings) if id(item) == key] for key in distinct]
    return [
        _prepare_call(
            transformer,
            [conditionings[row] for row in rows],
            rows,
            image_positions=image_positions,
            times=times,
            conventions=conventions,
        )
        for rows in groups
    ]


def _prepare_call(
    transformer: Step1XEditTransformer2DModel,
    conditionings: list[Conditioning],
    rows: list[int],
    *,
    image_positions: Tensor,
    times: Tensor,
    conventions: Conventions,
) -> TransformerCall:
    dtype, device = transformer.dtype, transformer.device
    first = conditionings[0]
    attention: dict[str, Tensor] = {}
    if conventions.pad_text:
        tokens, mask, attention = _folded(conditionings, len(image_positions), conventions.max_text_tokens, dtype)
        positions = torch.zeros(tokens.shape[1], 3)
    else:
        tokens, mask = first.tokens.expand(len(rows), -1, -1), first.mask.expand(len(rows), -1)
        positions = first.positions
    mapped = first.text_embeddings
    prepared = transformer.prepare(
        tokens.to(device, dtype),
        mask.to(device),
        image_positions.to(device),
        positions.to(device),
        text_embeddings=None if mapped is None else mapped.expand(len(rows), -1, -1).to(device, dtype),
        text_mask=None if first.text_mask is None else first.text_mask.expand(len(rows), -1).to(device),
        times=times.to(device),
    )
    attention = {name: value.to(device) for name, value in attention.items()}
    return TransformerCall(name=f"rows_{'_'.join(map(str, rows))}", rows=rows, prepared=prepared, attention=attention)


def _folded(
    conditionings: list[Conditioning], image_tokens: int, padded_length: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    tokens = nn.utils.rnn.pad_sequence([item.tokens[0] for item in conditionings], batch_first=True)
    mask = nn.utils.rnn.pad_sequence([item.mask[0] for item in conditionings], batch_first=True)
    folded = fold_padding(tokens, mask, padded_length=padded_length, dtype=dtype)
    bias = nn.functional.pad(folded.key_bias, (0, image_tokens))
    return folded.tokens, folded.mask, {"attention_mask": bias[:, None, None, :]}


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
        time = self.times[step].to(image_tokens.device).expand(len(image_tokens))
        (velocity,) = self.transformer(
            image_tokens.to(self.transformer.dtype),
            timestep=time,
            prepared=call.prepared,
            step=step,
            joint_attention_kwargs=dict(call.attention),
            target_tokens=target_tokens,
            return_dict=False,
        )
        return velocity

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
