"""Guards, states on disk, settings as text, and the folder of a run."""

from __future__ import annotations

import json
import tomllib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from step1x_edit.errors import CheckpointError, RequestError
from step1x_edit.training.config import DataConfig, RunConfig, SourceConfig, TrainingConfig
from step1x_edit.training.run.checkpoints import Checkpoint, CheckpointFolder
from step1x_edit.training.run.diagnosis import bad_activation, bad_examples, bad_gradient
from step1x_edit.training.run.folder import CONFIG, RECORD, begin_run, keep_hashes
from step1x_edit.training.run.guards import BACK_OFFS, CALM_STEPS, LEARNING_STEPS, SKIPS, Guard
from step1x_edit.training.run.length import Pace
from step1x_edit.training.run.random_states import random_states, restore_random_states
from step1x_edit.training.run.state_files import read_tree, write_tree
from step1x_edit.training.run.toml_text import toml_text

CONFIGURATION = TrainingConfig(data=DataConfig(sources=(SourceConfig(path="pairs"),)), run=RunConfig(steps=10))


def steady_guard() -> Guard:
    guard = Guard(4.0)
    for step in range(LEARNING_STEPS):
        assert guard.judge(loss=1.0 + 0.1 * (step % 2), gradient_norm=1.0).measure == "go"
    return guard


def test_a_spike_is_skipped_and_a_loss_that_is_merely_high_is_not():
    guard = steady_guard()
    assert guard.judge(loss=3.0, gradient_norm=1.0).measure == "go"
    verdict = guard.judge(loss=9.0, gradient_norm=1.0)
    assert verdict.measure == "skip" and verdict.fault.startswith("the loss is 9, the recent mean 1.")


def test_losses_that_scatter_widely_are_no_spikes():
    guard, spread = Guard(4.0), [0.1, 0.1, 0.1, 2.0] * 20
    assert all(guard.judge(loss=loss, gradient_norm=1.0).measure == "go" for loss in spread)


def test_bad_steps_are_skipped_then_halve_the_rate_then_stop_the_run():
    guard = steady_guard()
    measures = [guard.judge(loss=float("nan"), gradient_norm=1.0).measure for _ in range(SKIPS * (BACK_OFFS + 1))]
    expected = (["skip"] * (SKIPS - 1) + ["back_off"]) * BACK_OFFS + ["skip"] * (SKIPS - 1) + ["stop"]
    assert measures == expected
    assert guard.rate_share == 0.25


def test_a_long_calm_makes_up_for_earlier_back_offs():
    guard = steady_guard()
    for _ in range(3):
        verdicts = [guard.judge(loss=1.0, gradient_norm=float("inf")) for _ in range(SKIPS)]
        assert verdicts[-1].measure == "back_off" and verdicts[-1].fault == "the gradient is not finite"
        for _ in range(CALM_STEPS):
            guard.judge(loss=1.0, gradient_norm=1.0)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just(torch.arange(3.0)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@settings(max_examples=50, deadline=None)
@given(tree=TREES)
def test_states_come_back_from_disk_as_they_were(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("state")
    write_tree({"tree": tree}, folder, "state")
    assert same(read_tree(folder, "state"), {"tree": tree})


def test_random_states_come_back_from_disk_as_they_were(tmp_path):
    write_tree(random_states(), tmp_path, "state")
    drawn = torch.rand(3)
    restore_random_states(read_tree(tmp_path, "state"))
    assert torch.equal(torch.rand(3), drawn)


def test_a_state_that_safetensors_and_json_cannot_hold_is_refused_by_its_place(tmp_path):
    with pytest.raises(TypeError, match=r"state\.a\.1 is a set"):
        write_tree({"a": [0, {1}]}, tmp_path, "state")


def test_a_state_with_a_missing_tensor_is_refused(tmp_path):
    write_tree({"a": torch.zeros(2)}, tmp_path, "state")
    (tmp_path / "state.json").write_text(json.dumps({"a": {"$tensor": "state.b"}}))
    with pytest.raises(CheckpointError, match=r"state\.b"):
        read_tree(tmp_path, "state")


def test_what_a_killed_process_left_half_written_is_neither_read_nor_kept(tmp_path):
    heard: list[str] = []
    folder = CheckpointFolder(tmp_path, keep=2, notice=heard.append)
    half = tmp_path / ".step-00000007.part"
    half.mkdir()
    (half / "trained.safetensors").write_bytes(b"half")
    assert folder.latest() is None
    folder.write(Checkpoint(step=8, trained={"a": torch.ones(2)}, state={}))
    found = folder.latest()
    assert found is not None and found.step == 8 and not half.exists() and heard == []


def test_the_narrowest_module_with_numbers_that_are_not_finite_is_named():
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 1))
    assert bad_activation(network, lambda: network(torch.ones(1, 2))) is None
    assert bad_activation(network, lambda: network(torch.full((1, 2), torch.inf))) == "0"
    with torch.no_grad():
        network[1][0].weight.fill_(3e38)  # pyright: ignore[reportIndexIssue, reportCallIssue, reportAttributeAccessIssue]
    assert bad_activation(network, lambda: network(torch.ones(1, 2) * 10)) == "1.0"
    network(torch.full((1, 2), torch.nan)).sum().backward()
    assert bad_gradient(network) == "2"
    assert bad_examples(["a", "b", "c"], torch.tensor([1.0, torch.nan, 2.0])) == ["b"]
    assert bad_examples(["a", "b", "c"], torch.tensor([1.0, 0.0, 2.0])) == ["c"]


def test_settings_written_as_toml_read_back_as_they_were():
    table = {
        "name": 'quotes " and \\ and 夜',
        "rate": 1e-5,
        "flag": True,
        "lora": {"rank_pattern": {"blocks.*.attn": 8}, "targets": []},
        "data": {"sources": [{"path": "a", "columns": {"target": "x"}}, {"path": "b"}]},
    }
    assert tomllib.loads(toml_text(table)) == table


def begin(folder, config: TrainingConfig) -> None:
    begin_run(folder, config, method="lora", device="cpu", processes=1)


def test_a_runs_folder_keeps_the_whole_configuration_and_every_start(tmp_path):
    begin(tmp_path, CONFIGURATION)
    longer = CONFIGURATION.model_copy(update={"run": RunConfig(epochs=3, keep=5)})
    begin(tmp_path, longer)
    assert TrainingConfig.model_validate(tomllib.loads((tmp_path / CONFIG).read_text())) == longer
    record = json.loads((tmp_path / RECORD).read_text())
    assert len(record["starts"]) == 2 and record["starts"][0]["versions"]["torch"] == torch.__version__
    assert record["fixed"]["run"]["seed"] == 42


def test_a_run_does_not_go_on_with_other_weights_or_data(tmp_path):
    begin(tmp_path, CONFIGURATION)
    keep_hashes(tmp_path, {"transformer": "ab", "examples": "cd"})
    begin(tmp_path, CONFIGURATION)
    keep_hashes(tmp_path, {"transformer": "ab", "examples": "cd"})
    with pytest.raises(RequestError, match=r'hashes\.examples was "cd" and is "ef"'):
        keep_hashes(tmp_path, {"transformer": "ab", "examples": "ef"})


def test_a_run_does_not_go_on_with_other_settings(tmp_path):
    begin(tmp_path, CONFIGURATION)
    with pytest.raises(RequestError, match=r"run\.batch was 1 and is 2"):
        begin(tmp_path, CONFIGURATION.model_copy(update={"run": RunConfig(steps=10, batch=2)}))


def test_speed_and_time_left_are_those_of_the_last_steps():
    pace = Pace()
    assert pace.seconds_left() is None
    for step in range(4):
        pace.mark(seconds=2.0 * step, samples=8, tokens=80, share=step / 10)
    assert pace.samples_per_second() == 4 and pace.tokens_per_second() == 40
    assert pace.seconds_left() == pytest.approx(14.0)
