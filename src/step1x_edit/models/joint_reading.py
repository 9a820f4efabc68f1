"""Many prompts about many pictures, read by the multimodal LLM a batch at a time: same numbers, less time a prompt.

For releases that read the instruction before the picture there is little that prompts about one picture share, so prompts of
like length go together instead. Padding stands on the right, where causal attention never looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from step1x_edit.models.conditioner import Conditioner, Conditioning, PromptTokens

__all__ = ["condition_together"]


@torch.no_grad()
def condition_together(
    conditioner: Conditioner,
    images: Sequence[Image.Image],
    instructions: Sequence[Sequence[str]],
    *,
    generation: tuple[int, int],
    together: int = 8,
) -> list[list[Conditioning]]:
    """Return the conditioning of each instruction about its picture, as :class:`Conditioner` gives it.

    The vision tower sees each picture once.

    Args:
        conditioner: The multimodal LLM with its conventions; not in parity mode, whose mask differs from prompt to prompt.
        images: Reference images at generation size, RGB.
        instructions: Those of each picture, negative ones included.
        generation: Width and height of the generation in pixels.
        together: Prompts that go through the LLM at once.
    """
    pixels = [conditioner.pixels(image) for image in images]
    seen = _seen(conditioner, pixels)
    prompts = [
        (picture, conditioner.tokenize(text, picture_tokens=len(seen[picture])))
        for picture, texts in enumerate(instructions)
        for text in texts
    ]
    answers: dict[int, Conditioning] = {}
    by_length = sorted(range(len(prompts)), key=lambda number: len(prompts[number][1].ids))
    for first in range(0, len(by_length), together):
        numbers = by_length[first : first + together]
        chosen = [prompts[number] for number in numbers]
        read = _read(conditioner, chosen, seen, [pixels[picture]["image_grid_thw"] for picture, _ in chosen])
        for number, (picture, prompt), states in zip(numbers, chosen, read, strict=True):
            answers[number] = conditioner.conditioning(prompt, *states, pixels[picture]["image_grid_thw"], generation)
    in_order = iter(answers[number] for number in range(len(prompts)))
    return [[next(in_order) for _ in texts] for texts in instructions]


def _seen(
    conditioner: Conditioner, pixels: Sequence[dict[str, Tensor]]
) -> list[Float[Tensor, "picture_tokens hidden"]]:
    """Return what the vision tower makes of each picture."""
    model: Any = conditioner.model.model
    output = model.get_image_features(
        torch.cat([one["pixel_values"] for one in pixels]).to(conditioner.device),
        torch.cat([one["image_grid_thw"] for one in pixels]).to(conditioner.device),
        return_dict=True,
    )
    return list(output.pooler_output)


def _read(
    conditioner: Conditioner,
    prompts: Sequence[tuple[int, PromptTokens]],
    seen: Sequence[Tensor],
    grids: Sequence[Int[Tensor, "1 3"]],
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return hidden states, input embeddings and rotary positions of each prompt, without its padding."""
    model: Any = conditioner.model.model
    rows = [torch.tensor(prompt.ids, device=conditioner.device) for _, prompt in prompts]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    is_picture = ids == conditioner.model.config.image_token_id
    positions, _ = model.get_rope_index(
        ids, is_picture.int(), image_grid_thw=torch.cat(list(grids)).to(conditioner.device)
    )
    embeddings = model.get_input_embeddings()(ids)
    features = torch.cat([seen[picture] for picture, _ in prompts]).to(embeddings)
    embeddings = embeddings.masked_scatter(is_picture[..., None], features)
    vision = SimpleNamespace(pooler_output=[seen[picture] for picture, _ in prompts])
    hidden = model(input_ids=ids, position_ids=positions, mm_encoder_outputs={"image": vision}, use_cache=False)
    lengths = [len(row) for row in rows]
    return [
        (
            hidden.last_hidden_state[row : row + 1, :length],
            embeddings[row : row + 1, :length],
            positions[:, row : row + 1, :length],
        )
        for row, length in enumerate(lengths)
    ]
