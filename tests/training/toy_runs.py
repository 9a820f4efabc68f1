"""Runs of the tiny transformer, also as a program: ``python toy_runs.py FOLDER '{"steps": 8}'``."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from drawn_examples import DrawnBatches
from safetensors.torch import save_file
from tiny import byte_tokenizer, tiny_conventions, tiny_transformer

from step1x_edit.training.config import ModelConfig, ObjectiveConfig, OptimizerConfig, RunConfig
from step1x_edit.training.methods.ema import RunningMean
from step1x_edit.training.methods.full import train_parts
from step1x_edit.training.methods.optimizers import build_optimizers
from step1x_edit.training.methods.schedules import rate_share
from step1x_edit.training.run.contract import Trainee
from step1x_edit.training.run.loop import Loop, Periodic
from step1x_edit.training.run.watching import RunOutcome, StepRecord, Watcher
from step1x_edit.training.step import flow_step_loss

OBJECTIVE = ObjectiveConfig(changed_weight=3.0, position_jitter=2)


class Ears(Watcher):
    """Remembers everything; calls ``on_step`` after each step."""

    def __init__(self, on_step: Callable[[StepRecord], None] = lambda record: None) -> None:
        self.records: list[StepRecord] = []
        self.notices: list[str] = []
        self.phases: list[str] = []
        self.on_step = on_step

    def step(self, record: StepRecord) -> None:
        self.records.append(record)
        self.on_step(record)

    def phase(self, words: str) -> None:
        self.phases.append(words)

    def notice(self, words: str) -> None:
        self.notices.append(words)


def toy_trainee(optimizer: OptimizerConfig, *, batches: Any, ema_decay: float | None = 0.9) -> Trainee:
    torch.manual_seed(0)
    conventions = tiny_conventions("nano", byte_tokenizer())
    network = tiny_transformer("nano", conventions)
    named = train_parts(network, ModelConfig(train=("transformer", "connector"), base="fp32"))

    def objective(shared, batch, seed):
        return flow_step_loss(shared, batch, objective=OBJECTIVE, conventions=conventions, seed=seed)

    def export(folder: Path) -> list[Path]:
        folder.mkdir(exist_ok=True)
        path = folder / "weights.safetensors"
        save_file({name: value.detach().clone() for name, value in named}, path)
        return [path]

    return Trainee(
        network=network,
        objective=objective,
        optimizers=build_optimizers(named, optimizer),
        rate_share=lambda step, share: rate_share(optimizer, step=step, progress=share),
        batches=batches,
        mean=None if ema_decay is None else RunningMean([value for _, value in named], decay=ema_decay),
        export=export,
    )


def toy_loop(
    folder: Path,
    *,
    watcher: Watcher | None = None,
    optimizer: OptimizerConfig | None = None,
    batches: Any = None,
    stop: Callable[[], bool] = lambda: False,
    ema_decay: float | None = 0.9,
    validation: Periodic | None = None,
    **run: Any,
) -> Loop:
    length = {} if {"epochs", "minutes"} & run.keys() else {"steps": 8}
    settings = RunConfig(**{**length, "batch": 2, "precision": "fp32", "checkpoint_every": 3, **run})
    optimizer = optimizer or OptimizerConfig(rate=1e-3, schedule="cosine", warm_up_steps=2)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=settings.accumulate)
    batches = batches or DrawnBatches(
        batch=settings.batch, process=accelerator.process_index, processes=accelerator.num_processes
    )
    return Loop(
        toy_trainee(optimizer, batches=batches, ema_decay=ema_decay),
        run=settings,
        clip_norm=optimizer.clip_norm,
        folder=folder,
        accelerator=accelerator,
        watcher=watcher or Ears(),
        validation=validation,
        stop=stop,
    )


def toy_run(folder: Path, **options: Any) -> RunOutcome:
    folder.mkdir(parents=True, exist_ok=True)
    return toy_loop(folder, **options).train()


def same_end(one: Path, other: Path) -> bool:
    """Whether the last checkpoints agree to the bit: weights, optimiser, running mean, random states, place in the data."""
    first, second = (max((folder / "checkpoints").glob("step-*")) for folder in (one, other))
    states = [json.loads((place / "state.json").read_text()) for place in (first, second)]
    for state in states:
        del state["seconds"]
        for process in state["random"]:
            del process["python"]  # The shape checks of the tests draw from it.
    names = ("trained.safetensors", "state.safetensors")
    return (
        first.name == second.name
        and states[0] == states[1]
        and all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    )


def main() -> None:
    """``kill_at`` ends the process with SIGKILL after that step; ``optimizer`` is a section of a config."""
    torch.set_num_threads(1)
    folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    kill_at = options.pop("kill_at", None)

    def on_step(record: StepRecord) -> None:
        if record.step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    if "optimizer" in options:
        options["optimizer"] = OptimizerConfig(**options["optimizer"])
    toy_run(folder, watcher=Ears(on_step), **options)


if __name__ == "__main__":
    main()
