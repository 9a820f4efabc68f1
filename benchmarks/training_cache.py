"""Cached against uncached pairs: nano's training step with examples from the cache, and with each pair encoded at each step.

Both sides take the same step of the whole embedded release (full training, AdamW, 160 px); the uncached one first puts target
and reference through the VAE, and instruction and unconditional form through the multimodal LLM. Run by hand:
``.venv/bin/python benchmarks/training_cache.py``.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from machine import describe_machine
from PIL import Image
from torch import nn

from step1x_edit.models.checkpoint import load_transformer
from step1x_edit.pipeline.weights import locate
from step1x_edit.presets.releases import find_release
from step1x_edit.training.acceleration import accelerate_training
from step1x_edit.training.batching import assemble_batch
from step1x_edit.training.buckets import FramedPair, frame_of
from step1x_edit.training.cache.encoders import EncodingParts, release_encoders
from step1x_edit.training.cache.encoding import WantedPair, encode_pairs
from step1x_edit.training.config import ModelConfig, ObjectiveConfig, OptimizerConfig, RunConfig
from step1x_edit.training.draws import StepSeed
from step1x_edit.training.examples import EncodedExample
from step1x_edit.training.methods.full import train_parts
from step1x_edit.training.methods.optimizers import build_optimizers
from step1x_edit.training.pairs.pair import PairContent
from step1x_edit.training.step import flow_step_loss

NANO = find_release("nano")
SIDE_PX = 160


def drawn_pairs(count: int) -> list[WantedPair]:
    """Return pairs of smooth random pictures, each with an instruction of its own."""
    draw = np.random.default_rng(0)
    frame = frame_of((SIDE_PX, SIDE_PX), size_level=SIDE_PX, has_reference=True)
    wanted = []
    for number in range(count):
        reference, target = (
            Image.fromarray(draw.integers(0, 255, (10, 10, 3), dtype=np.uint8)).resize((SIDE_PX, SIDE_PX)) for _ in "rt"
        )
        pair = FramedPair(frame=frame, reference=reference, target=target, changed=None)
        content = PairContent(reference=f"reference {number}", target=f"target {number}", mask=None)
        wanted.append(WantedPair(pair=pair, content=content, instructions={"en": f"turn picture {number:03d} around"}))
    return wanted


class Training:
    """Full training of nano's transformer and connector."""

    def __init__(self, batch: int) -> None:
        self.network = load_transformer(locate(NANO).transformer, release=NANO.id, dtype=torch.float32)
        learning = train_parts(self.network, ModelConfig(train=("transformer", "connector"), base="fp32"))
        self.optimizers = build_optimizers(learning, OptimizerConfig())
        run = RunConfig(steps=1, batch=batch, cheap_recomputation=False)
        accelerate_training(self.network, run, tokens=NANO.conventions.max_text_tokens + 2 * (SIDE_PX // 16) ** 2)

    def step(self, examples: list[EncodedExample], number: int) -> None:
        """Take one step."""
        seed = StepSeed(run=0, step=number, numbers=tuple(range(len(examples))))
        batch = assemble_batch(examples, dropped=[False] * len(examples))
        with torch.autocast("cpu", torch.bfloat16):
            loss = flow_step_loss(
                self.network, batch, objective=ObjectiveConfig(), conventions=NANO.conventions, seed=seed
            ).loss
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizers.step()
        self.optimizers.zero_grad()


def encoded(wanted: list[WantedPair], parts: EncodingParts) -> list[EncodedExample]:
    """Return the examples of these pairs."""
    return [languages["en"] for languages in encode_pairs(wanted, parts, batch=4)]


def main() -> None:
    """Measure, interleaved, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(describe_machine())
    wanted, training = drawn_pairs(given.batch), Training(given.batch)
    parts = release_encoders(NANO, dtype=torch.bfloat16).load()
    cached = encoded(wanted, parts)
    training.step(cached, 0)
    seconds: dict[str, list[float]] = {"cached": [], "uncached": []}
    spent: dict[str, list[float]] = {"cached": [], "uncached": []}
    for number in range(1, given.runs + 1):
        for name in seconds:
            start, processor = time.perf_counter(), time.process_time()
            training.step(cached if name == "cached" else encoded(wanted, parts), number)
            seconds[name].append(time.perf_counter() - start)
            spent[name].append(time.process_time() - processor)
    for unit, values in (("wall", seconds), ("processor", spent)):
        ratios = [without / with_ for with_, without in zip(values["cached"], values["uncached"], strict=True)]
        speeds = ", ".join(
            f"{name} {given.batch / statistics.median(taken):.1f} samples/s" for name, taken in values.items()
        )
        print(f"{unit} time: {speeds}, cached / uncached {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
