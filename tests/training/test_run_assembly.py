"""A configuration becomes a run of the embedded release: on pairs in a folder, with everything a real run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drawn_pairs import write_folder
from safetensors.torch import load_file
from toy_runs import Ears, same_end

from step1x_edit.errors import RequestError
from step1x_edit.training.config import TrainingConfig
from step1x_edit.training.run.assembly import run_training


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    return write_folder(tmp_path_factory.mktemp("pairs"), count=4)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def settings(pairs: Path, cache: Path, **sections: dict[str, Any]) -> TrainingConfig:
    table: dict[str, dict[str, Any]] = {
        "model": {"release": "nano"},
        "data": {"sources": [{"path": str(pairs)}], "size_level": 64, "cache": str(cache)},
        "lora": {"rank": 4, "alpha": 4, "dropout": 0.1},
        "run": {"steps": 4, "batch": 2, "checkpoint_every": 2, "ema_decay": 0.9},
    }
    for name, section in sections.items():
        table[name] = {**table.get(name, {}), **section}
    return TrainingConfig.model_validate(table)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_run_of_nano_that_was_stopped_ends_bit_equal_to_one_that_was_not(method, pairs, cache, tmp_path):
    optimizer = {"name": "muon", "rate": 1e-3, "schedule": "cosine"} if method == "full" else {"rate": 1e-3}
    config = settings(pairs, cache, optimizer=optimizer, model={"base": "fp32" if method == "full" else "bf16"})
    whole = run_training(config, method=method, folder=tmp_path / "whole")
    ears = Ears()
    stop = lambda: len(ears.records) == 3  # noqa: E731
    first = run_training(config, method=method, folder=tmp_path / "parted", watcher=ears, stop=stop)
    assert (first.ending, first.step, first.exports) == ("stopped", 3, ())
    second = run_training(config, method=method, folder=tmp_path / "parted")
    assert same_end(tmp_path / "parted", tmp_path / "whole")
    exported = [load_file(outcome.exports[0]) for outcome in (whole, second)]
    assert all((exported[0][name] == exported[1][name]).all() for name in exported[0])


def test_a_run_does_not_go_on_with_other_pairs(pairs, cache, tmp_path):
    run_training(settings(pairs, cache, run={"steps": 1}), method="lora", folder=tmp_path / "run")
    text = pairs / "target" / "0.txt"
    before = text.read_text()
    text.write_text("Paint it blue.")
    with pytest.raises(RequestError, match=r"hashes\.examples was"):
        run_training(settings(pairs, cache), method="lora", folder=tmp_path / "run")
    text.write_text(before)


def test_other_settings_are_refused_before_a_pair_is_read(pairs, cache, tmp_path):
    run_training(settings(pairs, cache, run={"steps": 1}), method="lora", folder=tmp_path / "run")
    ears = Ears()
    with pytest.raises(RequestError, match=r"lora\.rank was 4 and is 8"):
        run_training(settings(pairs, cache, lora={"rank": 8}), method="lora", folder=tmp_path / "run", watcher=ears)
    assert ears.phases == []
