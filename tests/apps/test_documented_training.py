"""The commands of docs/training.md and docs/lora-guide.md run as they stand there, only shorter."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from step1x_edit.apps.cli import app

ROOT = Path(__file__).parents[2]
SHORT = {
    "lora": [
        "run.steps=1",
        "run.batch=1",
        "data.size_level=64",
        "lora.rank=2",
        "validation.every=1",
        "validation.steps=1",
    ],
    "full": ["run.steps=1", "run.batch=1", "run.compile=false"],
}


def commands(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def run(command: str) -> str:
    program, *words = shlex.split(command)
    if program == "python":
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
    assert program == "step1x"
    if words[0] == "train" and words[1] in SHORT and "--dry-run" not in words:
        words += [word for override in SHORT[words[1]] for word in ("--set", override)]
    if words[0] == "edit":
        words += ["--steps", "1"]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, f"{command}: {answer.output}"
    return answer.output


@pytest.fixture
def at_home(tmp_path, monkeypatch) -> Path:
    """A folder with what the pages suppose: pairs, a photograph, a config for full training."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for number in range(2):
        names = {kind: f"{kind}-{number}.png" for kind in ("reference", "target")}
        (tmp_path / "pairs").mkdir(exist_ok=True)
        for seed, name in enumerate(names.values()):
            rough = np.random.default_rng([number, seed]).integers(0, 255, (5, 5, 3), dtype=np.uint8)
            Image.fromarray(rough).resize((64, 64), Image.Resampling.BICUBIC).save(tmp_path / "pairs" / name)
        rows.append({**names, "instruction": "make it a print"})
    (tmp_path / "pairs/pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    shutil.copy(tmp_path / "pairs/reference-0.png", tmp_path / "photo.jpg")
    (tmp_path / "whole.toml").write_text(
        'preset = "nano-full"\n[data]\nsources = [{ path = "pairs" }]\nsize_level = 64\n[run]\nsteps = 1\n',
        encoding="utf-8",
    )
    return tmp_path


def test_the_commands_of_the_training_page_run_one_after_the_other(at_home):
    found = commands("training.md")
    assert len(found) >= 8
    for command in found:
        run(command)
    assert (at_home / "output/train/my-run/exports/adapter.safetensors").is_file()


def test_the_guide_runs_from_a_fresh_clone(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples/lora", tmp_path / "examples/lora", ignore=shutil.ignore_patterns("pairs"))
    shutil.copy(ROOT / "examples/photo.jpg", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    found = commands("lora-guide.md")
    assert any("train lora" in command for command in found)
    for command in found:
        run(command)
    assert len(list((tmp_path / "examples/lora/pairs/target").iterdir())) == 40
    assert list((tmp_path / "output/train/print/validation").glob("step-*.png"))
