"""Runs: what comes out does not depend on stops, kills, full disks or the number of processes; bad numbers change nothing."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn_examples import DrawnBatches, DrawnDeal
from safetensors.torch import load_file
from toy_runs import Ears, same_end, toy_loop, toy_run

from step1x_edit.errors import CheckpointError, DataError, NumericalError
from step1x_edit.training.config import OptimizerConfig
from step1x_edit.training.run.journal import read_log
from step1x_edit.training.run.loop import Periodic

PROGRAM = Path(__file__).parent / "toy_runs.py"
LONG = {"epochs": 3, "accumulate": 2, "keep": 3}
"""Nine steps of two batches; the second epoch ends inside a step."""


def program(folder: Path, *launcher: str, **options: object) -> int:
    """Run a toy run in processes of its own; return how it ended."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = os.pathsep.join([str(PROGRAM.parent), str(PROGRAM.parent.parent)])
    command = [sys.executable, *launcher, str(PROGRAM), str(folder), json.dumps(options)]
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False).returncode


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("calm")
    toy_run(folder, **LONG)
    return folder


def test_a_run_killed_in_the_middle_ends_bit_equal_to_one_that_was_not(calm, tmp_path):
    ended = program(tmp_path, kill_at=5, **LONG)
    assert ended == -signal.SIGKILL
    assert toy_run(tmp_path, **LONG).ending == "finished"
    assert same_end(tmp_path, calm)
    losses = [[record["loss"] for record in read_log(folder)] for folder in (tmp_path, calm)]
    assert losses[0] == losses[1] and len(losses[0]) == 9


@pytest.mark.parametrize("name", ["muon", "schedule_free"])
def test_every_optimiser_goes_on_as_if_it_had_not_been_stopped(name, tmp_path):
    pytest.importorskip("schedulefree")
    optimizer = OptimizerConfig(name=name, rate=1e-3, warm_up_steps=2)
    ears = Ears()
    settings = {"optimizer": optimizer, "ema_decay": None, "steps": 6}
    toy_run(tmp_path / "whole", **settings)
    stopped = toy_run(tmp_path / "parted", watcher=ears, stop=lambda: len(ears.records) == 2, **settings)
    assert (stopped.ending, stopped.step, stopped.exports) == ("stopped", 2, ())
    toy_run(tmp_path / "parted", **settings)
    assert same_end(tmp_path / "parted", tmp_path / "whole")


def test_a_damaged_checkpoint_is_passed_over_and_the_one_before_leads_to_the_same_end(calm, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(calm, folder)
    newest = folder / "checkpoints" / "step-00000009"
    weights = bytearray((newest / "trained.safetensors").read_bytes())
    weights[-1] ^= 1
    (newest / "trained.safetensors").write_bytes(weights)
    (folder / "checkpoints" / "step-00000006" / "COMPLETE.json").unlink()
    ears = Ears()
    toy_run(folder, watcher=ears, **LONG)
    assert "trained.safetensors is damaged" in ears.notices[0] and "was not finished" in ears.notices[1]
    assert ears.records[0].step == 4
    assert same_end(folder, calm)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_checkpoint_and_says_so(tmp_path):
    toy_run(tmp_path / "whole", steps=6)
    toy_run(tmp_path / "run", steps=3)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run/checkpoints/step-00000003").iterdir()}
    with files_no_larger_than(200_000), pytest.raises(DataError, match="no room left"):
        toy_run(tmp_path / "run", steps=6)
    places = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert places == ["step-00000003"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "run/checkpoints" / places[0]).iterdir()} == before
    assert toy_run(tmp_path / "run", steps=6).ending == "finished"


def test_only_as_many_checkpoints_stay_as_were_asked_for(tmp_path):
    toy_run(tmp_path, checkpoint_every=1, keep=2, steps=4)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-00000003", "step-00000004"]


def test_two_processes_equal_one_at_the_same_global_batch(tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    assert program(tmp_path / "two", *launcher, batch=2, steps=4) == 0
    toy_run(tmp_path / "one", batch=4, steps=4)
    losses = [[record["loss"] for record in read_log(tmp_path / name)] for name in ("two", "one")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    weights = [load_file(tmp_path / name / "exports" / "weights.safetensors") for name in ("two", "one")]
    assert max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0]) < 1e-5


def test_accumulated_batches_equal_one_large_batch(tmp_path):
    toy_run(tmp_path / "large", batch=4, steps=3)
    toy_run(tmp_path / "small", batch=2, accumulate=2, steps=3)
    losses = [[record["loss"] for record in read_log(tmp_path / name)] for name in ("large", "small")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


class SpoiltBatches(DrawnBatches):
    """Gives targets that are not finite in some of its deals."""

    def __init__(self, spoilt: range) -> None:
        super().__init__(batch=2)
        self.spoilt = spoilt
        self.culprits: list[str] = []

    def deal(self) -> DrawnDeal:
        number, deal = self.dealt, super().deal()
        if number not in self.spoilt:
            return deal
        self.culprits.append(deal.names[1])
        target = deal.batch.target.clone()
        target[1] = torch.nan
        return replace(deal, batch=replace(deal.batch, target=target))


def test_a_batch_with_nan_is_skipped_and_named(tmp_path):
    ears, batches = Ears(), SpoiltBatches(range(4, 5))
    outcome = toy_run(tmp_path, watcher=ears, batches=batches, steps=7)
    assert outcome.ending == "finished"
    assert [record.step for record in ears.records if record.skipped] == [5]
    assert "Step 5 is skipped: the loss is not finite" in ears.notices[0]
    assert f"examples: {batches.culprits[0]})" in ears.notices[0]
    assert read_log(tmp_path)[4]["loss"] is None
    assert all(torch.isfinite(weight).all() for weight in load_file(outcome.exports[0]).values())


def test_lasting_nan_makes_the_run_back_off_and_then_stop_at_the_step_module_and_examples(tmp_path):
    ears = Ears()
    with pytest.raises(NumericalError) as caught:
        toy_run(tmp_path, watcher=ears, batches=SpoiltBatches(range(4, 99)), steps=40)
    said = str(caught.value)
    assert "step 13" in said and "first in x_embedder" in said and "pair-" in said
    assert "step-00000012 is intact" in said
    back_offs = [words for words in ears.notices if "learning rate" in words]
    assert [words.split()[5] for words in back_offs] == ["0.5", "0.25"]
    good = load_file(tmp_path / "checkpoints" / "step-00000012" / "trained.safetensors")
    assert all(torch.isfinite(weight).all() for weight in good.values())


def test_a_checkpoint_of_other_weights_is_refused_by_name(tmp_path):
    toy_run(tmp_path, steps=3)
    loop = toy_loop(tmp_path, steps=6)
    loop._trainee.network.proj_out.requires_grad_(False)
    with pytest.raises(CheckpointError, match=r"proj_out\.bias"):
        loop.train()


def test_a_run_bounded_by_the_clock_ends_when_its_minutes_have_passed(tmp_path):
    ears = Ears()
    outcome = toy_run(tmp_path, watcher=ears, minutes=0.03)
    assert outcome.ending == "finished" and outcome.seconds >= 1.8
    assert 0.5 < ears.records[-1].share_done <= 1.0


def test_tensorboard_holds_the_curves(calm):
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = board.EventAccumulator(str(calm / "tensorboard")).Reload()
    losses = [event.value for event in events.Scalars("train/loss")]
    assert losses == pytest.approx([record["loss"] for record in read_log(calm)])


def test_a_run_is_looked_at_every_so_many_steps_and_once_at_its_end(tmp_path):
    looks: list[int] = []
    for _ in range(2):  # a finished run that is started again is not looked at again
        toy_run(tmp_path, steps=8, validation=Periodic(every=3, act=looks.append))
    assert looks == [3, 6, 8]
