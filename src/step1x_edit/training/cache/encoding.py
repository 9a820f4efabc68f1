"""Framed pairs through VAE and multimodal LLM, a batch at a time: what the pipeline would compute, computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from step1x_edit.models.conditioner import Conditioning
from step1x_edit.models.joint_reading import condition_together
from step1x_edit.models.vae import encode_pixels
from step1x_edit.pipeline.geometry import WorkingFrame
from step1x_edit.pipeline.picture_inputs import llm_picture, no_picture, vae_pixels
from step1x_edit.sampling.packing import pack_latents
from step1x_edit.sampling.resolution import GRID_PX
from step1x_edit.training.buckets import FramedPair
from step1x_edit.training.cache.encoders import EncodingParts
from step1x_edit.training.examples import EncodedExample
from step1x_edit.training.pairs.pair import Language, PairContent

__all__ = ["WantedPair", "encode_pairs"]

PictureKey = tuple[str, WorkingFrame]
"""What a picture is, and the frame it is brought to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPair:
    """A pair and the instructions it is wanted with."""

    pair: FramedPair
    content: PairContent
    """Pictures of equal hashes are encoded once in a batch."""
    instructions: Mapping[Language, str]


@torch.no_grad()
def encode_pairs(
    wanted: Sequence[WantedPair], parts: EncodingParts, *, batch: int
) -> list[dict[Language, EncodedExample]]:
    """Encode pairs of one frame's canvas, all with a reference image or all without.

    Args:
        wanted: The pairs.
        parts: VAE and multimodal LLM.
        batch: Pictures that go through the VAE at once.

    Returns:
        For each pair the example of each language, on the CPU, in the type the networks compute in. What examples share
        (pictures, the unconditional form) is the same tensor in all of them.
    """
    latents = _latents(wanted, parts, batch)
    answers = _conditionings(wanted, parts)
    return [_examples(one, latents, answers[_shown_key(one)], parts) for one in wanted]


def _examples(
    one: WantedPair, latents: Mapping[PictureKey, Tensor], answers: Mapping[str, Conditioning], parts: EncodingParts
) -> dict[Language, EncodedExample]:
    frame, content = one.pair.frame, one.content
    return {
        language: EncodedExample(
            target=latents[content.target, frame],
            reference=None if content.reference is None else latents[content.reference, frame],
            rows=frame.canvas[1] // GRID_PX,
            columns=frame.canvas[0] // GRID_PX,
            conditioning=answers[instruction],
            unconditional=answers[_unconditional(one, parts)],
            changed=one.pair.changed,
        )
        for language, instruction in one.instructions.items()
    }


def _latents(
    wanted: Sequence[WantedPair], parts: EncodingParts, batch: int
) -> dict[PictureKey, Float[Tensor, "tokens channels"]]:
    pictures: dict[PictureKey, Image.Image] = {}
    for one in wanted:
        pictures[one.content.target, one.pair.frame] = one.pair.target
        if one.pair.reference is not None and one.content.reference is not None:
            pictures[one.content.reference, one.pair.frame] = one.pair.reference
    keys = list(pictures)
    found = {}
    for first in range(0, len(keys), batch):
        chosen = keys[first : first + batch]
        pixels = torch.cat([vae_pixels(pictures[key], key[1], parts.conventions) for key in chosen])
        packed = pack_latents(encode_pixels(parts.vae, pixels.to(parts.vae.device)))
        found.update(zip(chosen, packed.to("cpu", parts.vae.dtype), strict=True))
    return found


def _conditionings(
    wanted: Sequence[WantedPair], parts: EncodingParts
) -> dict[PictureKey | None, dict[str, Conditioning]]:
    """Return reference → instruction → conditioning; each reference image is looked at once."""
    pictures: dict[PictureKey | None, Image.Image] = {}
    texts: dict[PictureKey | None, dict[str, None]] = {}
    for one in wanted:
        key = _shown_key(one)
        if key not in pictures:
            reference = one.pair.reference
            pictures[key] = (
                no_picture() if reference is None else llm_picture(reference, one.pair.frame, parts.conventions)
            )
        texts.setdefault(key, {}).update(dict.fromkeys([*one.instructions.values(), _unconditional(one, parts)]))
    generation = wanted[0].pair.frame.canvas
    asked = [list(texts[key]) for key in pictures]
    if parts.conventions.layout == "instruction_first":
        answers = condition_together(parts.conditioner, list(pictures.values()), asked, generation=generation)
    else:
        # Picture first: all prompts about a picture share its reading, which is most of the work.
        answers = [
            parts.conditioner(picture, lines, generation=generation)
            for picture, lines in zip(pictures.values(), asked, strict=True)
        ]
    return {
        key: {text: _on_cpu(answer) for text, answer in zip(lines, found, strict=True)}
        for key, lines, found in zip(pictures, asked, answers, strict=True)
    }


def _shown_key(one: WantedPair) -> PictureKey | None:
    """Return which picture the multimodal LLM is shown; None for the black one."""
    return None if one.content.reference is None else (one.content.reference, one.pair.frame)


def _unconditional(one: WantedPair, parts: EncodingParts) -> str:
    rules = parts.conventions
    return rules.negative_prompt if one.pair.reference is None else rules.negative_instruction


def _on_cpu(answer: Conditioning) -> Conditioning:
    return Conditioning(
        tokens=answer.tokens.cpu(),
        mask=answer.mask.cpu(),
        positions=answer.positions.cpu(),
        text_embeddings=None if answer.text_embeddings is None else answer.text_embeddings.cpu(),
        text_mask=None if answer.text_mask is None else answer.text_mask.cpu(),
    )
