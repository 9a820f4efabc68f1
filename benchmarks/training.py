"""One training step of a full-width slice of v1.1: ours against a plain eager loop on the same weights.

LoRA of rank 64 on all linear layers of the blocks, as in the released script, on a bf16 base; AdamW; batch 1; 1024 target and
1024 reference tokens (512 x 512 pixels), 345 real of 640 text tokens; 2 double and 4 single blocks of width 3072, connector
included. The plain loop is what the released trainer does with stock modules: all pads, all positions, everything kept.
Each side is a process of its own, told by this one when to step, so that steps interleave and peak memory is each side's own.
Run by hand on a quiet machine: ``.venv/bin/python benchmarks/training.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from machine import describe_machine
from stock_slice import HEADS, PADDED, SIDE, VALID, build_ours, build_stock, random_weights
from torch import Tensor, nn

from step1x_edit.models.conditioner import Conditioning
from step1x_edit.presets.releases import find_release
from step1x_edit.sampling.positions import grid_positions, zero_positions
from step1x_edit.training.acceleration import accelerate_training
from step1x_edit.training.config import LoraConfig, ObjectiveConfig, OptimizerConfig, RunConfig
from step1x_edit.training.draws import StepSeed, draw_flow
from step1x_edit.training.examples import Batch
from step1x_edit.training.methods.lora import adapted_modules, add_adapters
from step1x_edit.training.methods.optimizers import build_optimizers
from step1x_edit.training.step import flow_step_loss

LORA = LoraConfig(rank=64, alpha=32)
OBJECTIVE = ObjectiveConfig(shift_tokens=4096)
OPTIMIZER = OptimizerConfig(rate=1e-4)
TOKENS = SIDE * SIDE
CONVENTIONS = find_release("v1.1").conventions


def example() -> Batch:
    """Return the one example that both sides learn, of random numbers."""
    generator = torch.Generator().manual_seed(1)
    target, reference = torch.randn(2, 1, TOKENS, 64, generator=generator)
    words = torch.randn(1, VALID, 3584, generator=generator).bfloat16()
    mask = torch.ones(1, VALID, dtype=torch.long)
    conditioning = Conditioning(tokens=words, mask=mask, positions=zero_positions(VALID))
    return Batch(target=target, reference=reference, rows=SIDE, columns=SIDE, conditionings=(conditioning,))


def draw_adapters(network: nn.Module) -> None:
    """Draw the adapters' first weights by name, so that both sides start alike; not at zero, so that all learn at once."""
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            generator = torch.Generator().manual_seed(sum(name.encode()) + weight.numel())
            weight.data = torch.randn(weight.shape, generator=generator).mul_(0.01)


def our_step(run: RunConfig, heads: int) -> Callable[[int], float]:
    """Return a step of this package's training, as the loop takes it."""
    network = build_ours(random_weights(heads))
    learning = add_adapters(network, LORA, train=("transformer",), seed=0)
    draw_adapters(network)
    optimizers = build_optimizers(learning, OPTIMIZER)
    accelerate_training(network, run, tokens=PADDED + 2 * TOKENS)
    batch = example()

    def step(number: int) -> float:
        seed = StepSeed(run=0, step=number, numbers=(0,))
        with torch.autocast("cpu", torch.bfloat16):
            loss = flow_step_loss(network, batch, objective=OBJECTIVE, conventions=CONVENTIONS, seed=seed).loss
        loss.backward()
        nn.utils.clip_grad_norm_([weight for _, weight in learning], OPTIMIZER.clip_norm)
        optimizers.step()
        optimizers.zero_grad()
        return float(loss.detach())

    return step


def plain_step(heads: int) -> Callable[[int], float]:
    """Return a step of the plain loop: the released trainer's call (its time fault corrected) on stock modules."""
    from peft import LoraConfig as PeftConfig
    from peft import inject_adapter_in_model

    weights = random_weights(heads)
    names = adapted_modules(build_ours(weights), LORA, train=("transformer",))
    network = build_stock(weights)
    peft_config = PeftConfig(r=LORA.rank, lora_alpha=int(LORA.alpha), target_modules=list(names))
    inject_adapter_in_model(peft_config, network)
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    draw_adapters(network)
    optimizer = torch.optim.AdamW(learning, lr=OPTIMIZER.rate, weight_decay=OPTIMIZER.weight_decay)
    batch = example()
    assert batch.reference is not None
    target, reference = batch.target, batch.reference
    words = nn.functional.pad(batch.conditionings[0].tokens, (0, 0, 0, PADDED - VALID))
    mask = (torch.arange(PADDED) < VALID).long()[None]
    grid = grid_positions(rows=SIDE, columns=SIDE), grid_positions(rows=SIDE, columns=SIDE, axis=1, offset=1)
    ids = torch.cat([zero_positions(PADDED), *grid])

    def step(number: int) -> float:
        draws = draw_flow(StepSeed(run=0, step=number, numbers=(0,)), OBJECTIVE, tokens=TOKENS, channels=64)
        times = draws.times[:, None, None]
        tokens = torch.cat([(1 - times) * target + times * draws.noise, reference], dim=1)
        with torch.autocast("cpu", torch.bfloat16):
            velocity: Tensor = network(tokens.bfloat16(), words, mask, draws.times, ids)
        loss = nn.functional.mse_loss(velocity.float(), draws.noise - target)
        loss.backward()
        nn.utils.clip_grad_norm_(learning, OPTIMIZER.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def serve(step: Callable[[int], float]) -> None:
    """Take a step for each number that comes in, and answer with what it took."""
    for line in sys.stdin:
        start, spent = time.perf_counter(), time.process_time()
        loss = step(int(line))
        answer = {
            "loss": loss,
            "seconds": time.perf_counter() - start,
            "processor_seconds": time.process_time() - spent,
            "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20),
        }
        print(json.dumps(answer), flush=True)


class Side:
    """One side in a process of its own."""

    def __init__(self, name: str, given: argparse.Namespace) -> None:
        options = [f"--threads={given.threads}", f"--checkpointing={given.checkpointing}", f"--heads={given.heads}"]
        options += [f"--{name}" for name in ("compile", "keep-all") if getattr(given, name.replace("-", "_"))]
        command = [sys.executable, __file__, f"--side={name}", *options]
        # Freed tensors go back to the system at once on both sides, so that the peak is of tensors, not of what glibc keeps.
        environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 20)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.steps: list[dict[str, float]] = []

    def step(self, number: int) -> dict[str, float]:
        """Take one step."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        self.steps.append(json.loads(self.process.stdout.readline()))
        return self.steps[-1]

    def close(self) -> None:
        """Let the process end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def report(ours: list[dict[str, float]], plain: list[dict[str, float]], *, warm_up: int) -> None:
    """Print what the steps took, and how far the loss curves are apart."""
    for unit in ("seconds", "processor_seconds"):
        values = [[step[unit] for step in steps[warm_up:]] for steps in (ours, plain)]
        ratios = [other / mine for mine, other in zip(*values, strict=True)]
        for name, measured in zip(("ours", "plain"), values, strict=True):
            print(
                f"{name:6s} {unit:18s} median {statistics.median(measured):.2f}  samples/s {1 / statistics.median(measured):.4f}"
            )
        print(
            f"ours / plain in samples/s, by {unit}: median {statistics.median(ratios):.3f}, "
            f"{min(ratios):.3f} to {max(ratios):.3f}"
        )
    peaks = [steps[-1]["peak_gib"] for steps in (ours, plain)]
    print(f"peak memory: ours {peaks[0]:.2f} GiB, plain {peaks[1]:.2f} GiB, ratio {peaks[0] / peaks[1]:.3f}")
    losses = [[step["loss"] for step in steps] for steps in (ours, plain)]
    print("loss of each step: " + "; ".join(f"{a:.5f} and {b:.5f}" for a, b in zip(*losses, strict=True)))
    print(f"largest difference: {max(abs(a - b) / b for a, b in zip(*losses, strict=True)):.1e} of the loss")


def main() -> None:
    """Measure, interleaved, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1, help="first steps that are not counted")
    parser.add_argument("--heads", type=int, default=HEADS, help="24 is the full width")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--checkpointing", type=float, default=0.0, help="share of our blocks that keep their input alone"
    )
    parser.add_argument("--keep-all", action="store_true", help="let ours keep what is cheap to compute again")
    parser.add_argument("--compile", action="store_true", help="compile our blocks")
    parser.add_argument("--side", choices=("ours", "plain"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.side:
        run = RunConfig(
            steps=1,
            activation_checkpointing=given.checkpointing,
            cheap_recomputation=not given.keep_all,
            compile=given.compile,
        )
        serve(our_step(run, given.heads) if given.side == "ours" else plain_step(given.heads))
        return
    print(describe_machine())
    sides = Side("ours", given), Side("plain", given)
    try:
        for number in range(given.warm_up + given.runs):
            answers: list[dict[str, Any]] = [side.step(number) for side in sides]
            seconds = ", ".join(f"{answer['seconds']:.1f} s, loss {answer['loss']:.5f}" for answer in answers)
            print(f"step {number + 1} of {given.warm_up + given.runs}: {seconds}", file=sys.stderr)
    finally:
        for side in sides:
            side.close()
    report(sides[0].steps, sides[1].steps, warm_up=given.warm_up)


if __name__ == "__main__":
    main()
