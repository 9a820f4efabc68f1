"""Training examples after VAE and multimodal LLM, in shards on disk: made once, read many times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from step1x_edit.store.shard import written_whole

__all__ = ["EncodedExamples", "draw_batches", "save_shard", "shard_paths"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedExamples:
    """Examples of one picture size, stacked; bfloat16 where nothing else is said."""

    reference: Float[Tensor, "examples tokens channels"]
    """Packed latents of the reference image."""
    target: Float[Tensor, "examples tokens channels"]
    changed: Bool[Tensor, "examples tokens"]
    """Tokens in which the target differs from the reference."""
    conditioning: Float[Tensor, "examples text_tokens hidden"]
    mask: Bool[Tensor, "examples text_tokens"]

    def __len__(self) -> int:
        return len(self.target)

    def rows(self, index: Tensor) -> EncodedExamples:
        """Return these examples, in this order."""
        return EncodedExamples(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    @staticmethod
    def joined(parts: list[EncodedExamples]) -> EncodedExamples:
        """Stack examples of one size."""
        return EncodedExamples(
            **{
                field.name: torch.cat([getattr(part, field.name) for part in parts])
                for field in fields(EncodedExamples)
            }
        )


def save_shard(examples: EncodedExamples, path: Path) -> None:
    """Write a shard; a reader never meets a half-written one.

    Raises:
        DataError: The disk is full.
    """
    with written_whole(path) as part:
        save_file({field.name: getattr(examples, field.name).contiguous() for field in fields(examples)}, part)


def shard_paths(folder: Path) -> list[Path]:
    """Return the shards of a folder in the order they were made."""
    return sorted(folder.glob("*.safetensors"))


def draw_batches(folder: Path, *, batch: int, seed: int, shards_at_once: int = 8) -> Iterator[EncodedExamples]:
    """Yield batches for ever: some shards at a time, mixed, new ones as they appear, recent ones more often.

    Args:
        folder: Folder of shards; another process may be adding to it.
        batch: Examples in a batch.
        seed: Of the order.
        shards_at_once: Shards mixed with one another.
    """
    random = np.random.default_rng(seed)
    seen: dict[Path, int] = {}
    while True:
        paths = shard_paths(folder)
        # The least used first; ties at random, so a folder that no longer grows is walked evenly.
        order = sorted(paths, key=lambda path: (seen.get(path, 0), random.random()))
        chosen = order[:shards_at_once]
        for path in chosen:
            seen[path] = seen.get(path, 0) + 1
        examples = EncodedExamples.joined([EncodedExamples(**load_file(path)) for path in chosen])
        shuffled = torch.from_numpy(random.permutation(len(examples)))
        for start in range(0, len(examples) - batch + 1, batch):
            yield examples.rows(shuffled[start : start + batch])
