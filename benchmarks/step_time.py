"""One denoising step of a full-width slice of v1.1: ours against the same weights in plain stock modules.

Both branches of guidance, 1024 target and 1024 reference tokens, 640 text tokens of which 345 are real, connector included,
bfloat16. The slice has 2 double and 4 single blocks of the real width; times for 19 + 38 blocks are extrapolated from the
time of each kind of block. Run by hand on a quiet machine: ``.venv/bin/python benchmarks/step_time.py``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from machine import describe_machine
from stock_slice import DOUBLE, PADDED, SIDE, SINGLE, VALID, StockSlice, build_ours, build_stock, random_weights
from torch import Tensor, nn

from step1x_edit.models.conditioner import Conditioning
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.pipeline.denoising import plan_calls
from step1x_edit.presets.releases import find_release
from step1x_edit.sampling.positions import grid_positions, zero_positions
from step1x_edit.sampling.schedule import time_schedule

FULL_DOUBLE, FULL_SINGLE = 19, 38


class Step:
    """One step of both networks on the same inputs."""

    def __init__(self, ours: Step1XEditTransformer2DModel, stock: StockSlice) -> None:
        conventions = find_release("v1.1").conventions
        self.ours, self.stock = ours, stock
        self.tokens = torch.randn(1, 2 * SIDE * SIDE, 64, dtype=torch.bfloat16).repeat(2, 1, 1)
        tokens = [torch.randn(1, VALID, 3584, dtype=torch.bfloat16) for _ in range(2)]
        self.times = time_schedule(steps=28, target_tokens=SIDE * SIDE)[:-1]
        grid = grid_positions(rows=SIDE, columns=SIDE), grid_positions(rows=SIDE, columns=SIDE, axis=1, offset=1)
        conditionings = [
            Conditioning(tokens=one, mask=torch.ones(1, VALID, dtype=torch.long), positions=zero_positions(VALID))
            for one in tokens
        ]
        start = time.perf_counter()
        (self.call,) = plan_calls(
            ours,
            conditionings,
            image_positions=torch.cat(grid),
            times=self.times,
            conventions=conventions,
        )
        self.prepare_seconds = time.perf_counter() - start
        self.conditioning = nn.functional.pad(torch.cat(tokens), (0, 0, 0, PADDED - VALID))
        self.mask = (torch.arange(PADDED) < VALID).long().expand(2, -1)
        self.ids = torch.cat([zero_positions(PADDED), *grid])

    def run_ours(self) -> Tensor:
        """Our step as the pipeline runs it."""
        time_ = self.times[10].expand(2)
        (velocity,) = self.ours(
            self.tokens,
            timestep=time_,
            prepared=self.call.prepared,
            step=10,
            joint_attention_kwargs=dict(self.call.attention),
            target_tokens=SIDE * SIDE,
            return_dict=False,
        )
        return velocity

    def run_stock(self, dtype: torch.dtype = torch.bfloat16) -> Tensor:
        """The same step in stock modules."""
        time_ = self.times[10].expand(2)
        return self.stock(self.tokens.to(dtype), self.conditioning.to(dtype), self.mask, time_, self.ids)


def timed(run: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def block_seconds(network: nn.Module, run: Callable[[], Any]) -> dict[str, float]:
    """Median seconds of a double and of a single block during one step, the last single block apart."""
    spent: dict[str, list[float]] = {"double": [], "single": [], "last": []}
    started: dict[nn.Module, float] = {}
    blocks = [*network.transformer_blocks, *network.single_transformer_blocks]  # type: ignore[misc]
    kinds = ["double"] * DOUBLE + ["single"] * (SINGLE - 1) + ["last"]
    handles = []
    for block, kind in zip(blocks, kinds, strict=True):
        handles.append(block.register_forward_pre_hook(lambda module, _: started.update({module: time.perf_counter()})))
        handles.append(
            block.register_forward_hook(
                lambda module, _, __, kind=kind: spent[kind].append(time.perf_counter() - started[module])
            )
        )
    run()
    for handle in handles:
        handle.remove()
    return {kind: statistics.median(values) for kind, values in spent.items()}


def extrapolated(total: float, blocks: dict[str, float]) -> float:
    """Seconds of a whole step with 19 double and 38 single blocks."""
    return total + (FULL_DOUBLE - DOUBLE) * blocks["double"] + (FULL_SINGLE - SINGLE) * blocks["single"]


@torch.no_grad()
def main() -> None:
    """Measure, interleaved, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-fp32", action="store_true", help="leave the comparison of errors out")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(describe_machine())
    weights = random_weights()
    step = Step(build_ours(weights), build_stock(weights))
    step.run_ours()
    step.run_stock()
    ours, stock = [], []
    for run in range(given.runs):
        print(f"run {run + 1} of {given.runs}", end="\r", file=sys.stderr)
        ours.append(timed(step.run_ours))
        stock.append(timed(step.run_stock))
    ratios = [a / b for a, b in zip(ours, stock, strict=True)]
    for name, values, unit in (("ours", ours, " s"), ("stock", stock, " s"), ("ours / stock", ratios, "")):
        print(f"{name:13s} median {statistics.median(values):.3f}{unit}  min {min(values):.3f}  max {max(values):.3f}")
    print(f"once per edit (28 steps): {step.prepare_seconds:.2f} s")
    ours_blocks, stock_blocks = block_seconds(step.ours, step.run_ours), block_seconds(step.stock, step.run_stock)
    whole = extrapolated(statistics.median(ours), ours_blocks), extrapolated(statistics.median(stock), stock_blocks)
    print(
        f"extrapolated to 19 + 38 blocks: ours {whole[0]:.1f} s, stock {whole[1]:.1f} s, ratio {whole[0] / whole[1]:.3f}"
    )
    if not given.no_fp32:
        mine, theirs = step.run_ours().float(), step.run_stock().float()
        step.stock.float()
        exact = step.run_stock(torch.float32)
        errors = [float((one - exact).norm() / exact.norm()) for one in (mine, theirs)]
        print(f"error to fp32: ours {errors[0]:.5f}, stock {errors[1]:.5f}, ratio {errors[0] / errors[1]:.3f}")


if __name__ == "__main__":
    main()
