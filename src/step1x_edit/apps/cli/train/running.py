"""Carries out ``step1x train lora|full``: config read, plan shown or run carried out, ending told."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from step1x_edit.apps.cli.failures import INTERRUPTED, say
from step1x_edit.errors import RequestError
from step1x_edit.training.config import Method, TrainingConfig
from step1x_edit.training.config_file import read_config

__all__ = ["TrainOrder", "carry_out"]

RUNS = Path("output/train")
_OF_A_RUN = ("checkpoints", "exports", "tensorboard", "validation", "log.jsonl", "config.toml", "run.json")
"""What a restart removes; the cache of encoded pairs is worth keeping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOrder:
    """What the user asked for."""

    config: Path
    method: Method
    out: Path | None
    overrides: tuple[str, ...]
    restart: bool
    quiet: bool

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self.out or RUNS / self.config.stem

    def command(self) -> str:
        """Return the command that goes on with the run."""
        words = ["step1x", "train", self.method, str(self.config)]
        words += ["--out", str(self.out)] if self.out else []
        for override in self.overrides:
            words += ["--set", override]
        return shlex.join(words)


def carry_out(order: TrainOrder, *, dry_run: bool) -> None:
    """Show the plan, or train.

    Raises:
        typer.Exit: With 130 after a stop that kept a checkpoint.
    """
    config = read_config(order.config, method=order.method, overrides=order.overrides)
    if dry_run:
        from step1x_edit.apps.cli.train.dry_run import show_plan

        show_plan(config, order.method, console=Console())
        return
    if order.restart:
        _forget(order.folder)
    _train(order, config)


def _train(order: TrainOrder, config: TrainingConfig) -> None:
    import typer
    from accelerate import PartialState

    from step1x_edit.apps.cli.stopping import stoppable
    from step1x_edit.apps.cli.train.suite import suite_table
    from step1x_edit.apps.cli.train.watching import outcome_words, watching
    from step1x_edit.training.run.assembly import run_training

    _quiet_libraries()
    try:
        with watching(quiet=order.quiet) as watcher, stoppable() as stop:
            outcome = run_training(
                config,
                method=order.method,
                folder=order.folder,
                watcher=watcher,
                stop=stop,
                suite=suite_table(config.validation.suite) if config.validation.suite else None,
            )
            if outcome.ending == "stopped":
                say(outcome_words(outcome, order.command()))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if PartialState().is_main_process:
        typer.echo(outcome_words(outcome, order.command()))


def _forget(folder: Path) -> None:
    """Remove an earlier run, and nothing else that may lie in its folder."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / "run.json").is_file():
        raise RequestError(
            given=f"--restart and {folder}, which holds no run",
            expected="a folder that `step1x train` made",
            remedy="Choose another folder with --out.",
        )
    for name in _OF_A_RUN:
        place = folder / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _quiet_libraries() -> None:
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
