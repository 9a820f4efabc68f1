"""``step1x train`` driven whole: config, plan, pairs, run, stop, going on, and the adapter in a later edit."""

import dataclasses
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from step1x_edit.apps.cli import app
from step1x_edit.apps.cli.train.suite import table_of
from step1x_edit.benchmark.suites import open_suite
from step1x_edit.pipeline.editor import Editor
from step1x_edit.presets.training import training_presets

ROOT = Path(__file__).parents[2]


def step1x(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def picture(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((80, 64), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def config(tmp_path) -> Path:
    """Four pairs and a run of two steps at 64 px."""
    rows = []
    for number in range(4):
        names = {kind: f"{kind}-{number}.png" for kind in ("reference", "target")}
        for shift, name in enumerate(names.values()):
            picture(tmp_path / name, seed=10 * shift + number)
        rows.append({**names, "instruction": "make it a print"})
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = tmp_path / "print.toml"
    path.write_text(
        'preset = "nano-effect"\n[data]\nsources = [{ path = "pairs.jsonl" }]\nsize_level = 64\n'
        "[lora]\nrank = 2\n[run]\nsteps = 2\nbatch = 2\n"
        '[validation]\nevery = 2\nsteps = 1\ncases = [{ image = "reference-0.png", instruction = "make it a print" }]\n',
        encoding="utf-8",
    )
    return path


def test_a_run_gives_an_adapter_whose_later_edit_is_the_grids_picture(config, tmp_path):
    answer = step1x("train", "lora", config, "--out", tmp_path / "run", "--quiet")
    assert answer.exit_code == 0, answer.output
    assert "2 steps" in answer.stdout
    adapter = tmp_path / "run/exports/adapter.safetensors"
    editor = Editor.from_release("nano", dtype="float32", adapters=[(adapter, 1.0)])
    later = editor.edit(tmp_path / "reference-0.png", "make it a print", seed=0, steps=1).image
    with Image.open(tmp_path / "run/validation/step-000002/case-1.png") as shown:
        assert np.array_equal(np.asarray(shown), np.asarray(later))
    events = EventAccumulator(str(tmp_path / "run/tensorboard"))
    events.Reload()
    assert events.Tags()["images"] == ["validation"]
    again = step1x("train", "lora", config, "--out", tmp_path / "run", "--set", "lora.rank=3")
    assert again.exit_code == 2
    assert "lora.rank was 2 and is 3" in again.stderr
    fresh = step1x("train", "lora", config, "--out", tmp_path / "run", "--set", "lora.rank=3", "--restart", "-q")
    assert fresh.exit_code == 0, fresh.output


def test_full_training_writes_weights_that_load(config, tmp_path):
    config.write_text(config.read_text().replace("nano-effect", "nano-full").replace("[lora]\nrank = 2\n", ""))
    answer = step1x(
        *("train", "full", config, "--out", tmp_path / "run", "-q", "--set", "run.compile=false"),
        *("--set", "validation.cases=[]"),
    )
    assert answer.exit_code == 0, answer.output
    edit = Editor.from_release("nano", weights=tmp_path / "run/exports").edit(
        tmp_path / "reference-0.png", "make it a print", seed=0, steps=1
    )
    assert edit.image.size == (80, 64)


def test_a_dry_run_tells_pairs_steps_memory_and_disk_and_writes_nothing(config, tmp_path):
    before = sorted(tmp_path.iterdir())
    answer = step1x("train", "lora", config, "--dry-run", "--out", tmp_path / "run")
    assert answer.exit_code == 0, answer.output
    for words in (
        "4, 4 examples",
        "80 x 64 px (4)",
        "target 20",
        "2 steps of 2 examples, 1.0 epochs",
        "adapters",
        "disk",
    ):
        assert words in answer.stdout, answer.stdout
    assert sorted(tmp_path.iterdir()) == before


def test_a_dry_run_says_what_would_stop_the_run_at_once(config):
    answer = step1x("train", "lora", config, "--dry-run", "--set", 'model.train=["text_encoder"]')
    assert answer.exit_code == 0, answer.output
    assert "would stop at once" in answer.stdout, answer.stdout


def test_an_interrupt_keeps_a_checkpoint_and_says_how_to_go_on(config, tmp_path):
    command = [str(Path(sys.executable).parent / "step1x")]
    arguments = ["train", "lora", str(config), "--out", str(tmp_path / "run"), "--set", "run.steps=100000"]
    with subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        for line in run.stderr:
            if line.startswith("step "):
                break
        run.send_signal(signal.SIGINT)
        rest = run.stderr.read()
    assert run.returncode == 130, rest
    assert "a checkpoint is kept" in rest
    found = re.search(r"after step (\d+).*Go on with: (step1x train lora .*)", rest)
    assert found is not None, rest
    steps = int(found[1]) + 1
    words = found[2].split()[1:]
    answer = step1x(*words, "--set", f"run.steps={steps}", "-q")
    assert answer.exit_code == 0, answer.output
    assert f"going on after step {steps - 1}" in answer.stderr


def test_a_broken_config_costs_one_line_and_exit_code_2(config):
    config.write_text(config.read_text().replace("rank", "rnak"))
    answer = step1x("train", "lora", config)
    assert answer.exit_code == 2
    assert answer.stderr.count("\n") == 1
    assert "lora.rnak" in answer.stderr
    assert "lora.rank" in answer.stderr


def test_restart_removes_nothing_that_is_not_a_run(config, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    answer = step1x("train", "lora", config, "--out", tmp_path / "mine", "--restart")
    assert answer.exit_code == 2
    assert (tmp_path / "mine/letter.txt").read_text() == "dear"


@pytest.mark.parametrize("preset", ["nano-effect", "full-80gb"])
def test_the_config_that_init_writes_can_be_planned_at_once(config, preset):
    path = config.parent / "mine.toml"
    answer = step1x("train", "init", path, "--preset", preset, "--release", "nano")
    assert answer.exit_code == 0, answer.output
    (path.parent / "pairs").mkdir()
    (config.parent / "pairs.jsonl").rename(path.parent / "pairs/pairs.jsonl")
    for file in path.parent.glob("*.png"):
        file.rename(path.parent / "pairs" / file.name)
    method = training_presets()[preset].method
    plan = step1x("train", method, path, "--dry-run", "--set", "data.size_level=64")
    assert plan.exit_code == 0, plan.output
    assert step1x("train", "init", path).exit_code == 2


def test_presets_are_listed_with_memory_and_time():
    answer = step1x("train", "presets")
    assert answer.exit_code == 0
    assert all(name in answer.stdout for name in training_presets())


def test_a_suites_table_can_be_asked_for_and_an_unknown_suite_is_refused_before_anything_is_loaded(config, tmp_path):
    answer = step1x("train", "lora", config, "--out", tmp_path / "run", "--set", "validation.suite=nowhere")
    assert answer.exit_code != 0
    assert "nowhere" in answer.stderr
    assert not (tmp_path / "run").exists()
    suite = open_suite("mini-ci")
    small = dataclasses.replace(suite, cases=suite.cases[:2])
    editor = Editor.from_release("nano", dtype="float32")
    table = table_of(small, editor, tmp_path / "suite")
    assert "all tasks alike" in table
    assert len(table.splitlines()) >= 3
