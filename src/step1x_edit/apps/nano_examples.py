"""Make encoded training examples: ``python -m step1x_edit.apps.nano_examples SHARDS --vae FOLDER --size 128``.

Joins the pool and its pairs (``data_engine``) with the frozen parts of nano (VAE and multimodal LLM). Ends after
``--count`` examples; can run beside the training that reads its shards.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from step1x_edit.data_engine.pair import collate
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.stream import PairStream
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.models.conditioner import Conditioner
from step1x_edit.models.language_model import load_language_model
from step1x_edit.presets.releases import find_release
from step1x_edit.training.nano.encoded import EncodedExamples, save_shard
from step1x_edit.training.nano.encoding import encode_pairs

__all__ = ["main"]

log = logging.getLogger("step1x_edit")
_BATCH = 32


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--vae", type=Path, required=True, help="folder of the autoencoder")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures in pixels")
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--shard", type=int, default=1024, help="examples in a shard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--text-tokens", type=int, default=52)
    parser.add_argument("--dropout", type=float, default=0.1, help="share of examples without an instruction")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    """Fill shards, one after the other, going on behind those that are there."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    torch.set_num_threads(given.threads)
    nano = Path(str(files("step1x_edit") / "nano"))
    vae = AutoencoderKL.from_pretrained(given.vae, torch_dtype=torch.bfloat16).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    conditioner = Conditioner(
        load_language_model(nano / "text_encoder", dtype=torch.bfloat16),
        PreTrainedTokenizerFast.from_pretrained(nano / "tokenizer", local_files_only=True),
        Qwen2VLImageProcessorPil(),
        find_release("nano").conventions,
    )
    stream = PairStream(Pool.open(), seed=given.seed, size=given.size, experts=EmbeddedExperts())
    for number in range(given.count // given.shard):
        path = given.shards / f"{given.seed:02d}-{number:05d}.safetensors"
        if path.exists():
            continue
        start = time.monotonic()
        parts = []
        for first in range(number * given.shard, (number + 1) * given.shard, _BATCH):
            parts.append(_encode(stream, first, vae, conditioner, given))
        save_shard(EncodedExamples.joined(parts), path)
        log.info("%s  %.1f examples/s", path.name, given.shard / (time.monotonic() - start))
    return 0


def _encode(
    stream: PairStream, first: int, vae: AutoencoderKL, conditioner: Conditioner, given: argparse.Namespace
) -> EncodedExamples:
    pairs = collate([stream[index] for index in range(first, first + _BATCH)])
    dropped = np.random.default_rng([given.seed, first]).random(_BATCH) < given.dropout
    empty = conditioner.conventions.negative_instruction
    instructions = [empty if gone else said for gone, said in zip(dropped, pairs.instructions, strict=True)]
    return encode_pairs(
        pairs.reference,
        pairs.target,
        pairs.changed,
        instructions,
        vae=vae,
        conditioner=conditioner,
        text_tokens=given.text_tokens,
    )


if __name__ == "__main__":
    sys.exit(main())
