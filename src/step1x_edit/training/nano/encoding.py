"""Pairs of pictures to encoded examples: latents by the VAE, conditioning by the multimodal LLM, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool2d

from step1x_edit.models.conditioner import Conditioner
from step1x_edit.models.vae import encode_pixels
from step1x_edit.sampling.packing import pack_latents
from step1x_edit.sampling.resolution import GRID_PX
from step1x_edit.training.nano.encoded import EncodedExamples

__all__ = ["encode_pairs"]

_LLM_BATCH = 8
"""Prompts that go through the LLM together; longer ones waste time on padding."""

Pictures = UInt8[np.ndarray, "batch height width 3"]


@torch.no_grad()
def encode_pairs(
    reference: Pictures,
    target: Pictures,
    changed: Bool[np.ndarray, "batch height width"],
    instructions: Sequence[str],
    *,
    vae: AutoencoderKL,
    conditioner: Conditioner,
    text_tokens: int,
) -> EncodedExamples:
    """Encode pairs of one size. Pairs whose conditioning is longer than ``text_tokens`` are left out.

    Args:
        reference: Reference images.
        target: Targets.
        changed: Where they may differ.
        instructions: One for each pair.
        vae: Autoencoder.
        conditioner: Multimodal LLM with its conventions (without padding).
        text_tokens: Length to which conditioning is padded.
    """
    conditioning, mask, fits = _condition(reference, instructions, conditioner, text_tokens)
    latents = encode_pixels(vae, torch.cat([_pixels(reference), _pixels(target)]))
    reference_tokens, target_tokens = pack_latents(latents).bfloat16().chunk(2)
    return EncodedExamples(
        reference=reference_tokens,
        target=target_tokens,
        changed=_changed_tokens(changed),
        conditioning=conditioning,
        mask=mask,
    ).rows(fits)


def _pixels(pictures: Pictures) -> Float[Tensor, "batch 3 height width"]:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def _changed_tokens(changed: Bool[np.ndarray, "batch height width"]) -> Bool[Tensor, "batch tokens"]:
    return max_pool2d(torch.from_numpy(changed)[:, None].float(), GRID_PX).flatten(1) > 0


def _condition(
    reference: Pictures, instructions: Sequence[str], conditioner: Conditioner, text_tokens: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return conditioning, its mask and the rows that fit; prompts of like length go through the LLM together."""
    pixels = _llm_pixels(reference, conditioner)
    grid = pixels["image_grid_thw"]
    picture_tokens = int(grid[0].prod()) // conditioner.image_processor.merge_size**2
    patches = pixels["pixel_values"].unflatten(0, (len(reference), -1))
    prompts = [
        torch.tensor(conditioner.tokenize(instruction, picture_tokens=picture_tokens).ids)
        for instruction in instructions
    ]
    dropped = conditioner.conventions.dropped_tokens
    kept = torch.tensor([len(ids) - dropped for ids in prompts])
    model: Any = conditioner.model
    hidden = torch.zeros(len(prompts), text_tokens, model.config.text_config.hidden_size)
    for rows in kept.argsort().split(_LLM_BATCH):
        states = _read([prompts[row] for row in rows], patches[rows], grid[rows], conditioner)[:, dropped:][
            :, :text_tokens
        ]
        hidden[rows, : states.shape[1]] = states.float()
    mask = torch.arange(text_tokens) < kept[:, None]
    return (hidden * mask[..., None]).bfloat16(), mask, (kept <= text_tokens).nonzero()[:, 0]


def _llm_pixels(reference: Pictures, conditioner: Conditioner) -> dict[str, Tensor]:
    rules = conditioner.conventions
    return conditioner.image_processor(
        images=[Image.fromarray(picture) for picture in reference],
        size={"shortest_edge": rules.mllm_min_pixels, "longest_edge": rules.mllm_max_pixels},
        return_tensors="pt",
    )


def _read(prompts: list[Tensor], patches: Tensor, grid: Tensor, conditioner: Conditioner) -> Tensor:
    """Run the LLM over prompts padded on the right, where causal attention does not look."""
    model: Any = conditioner.model
    ids = torch.nn.utils.rnn.pad_sequence(prompts, batch_first=True)
    is_picture = (ids == model.config.image_token_id).int()
    positions, _ = model.model.get_rope_index(ids, is_picture, image_grid_thw=grid)
    return model.model(
        input_ids=ids, position_ids=positions, pixel_values=patches.flatten(0, 1), image_grid_thw=grid
    ).last_hidden_state
