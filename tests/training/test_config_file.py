"""A config is read whole, laid over its preset, and what is wrong with it is said in one sentence."""

from pathlib import Path

import pytest

from step1x_edit.errors import RequestError
from step1x_edit.presets.training import training_presets
from step1x_edit.training.config_file import read_config

SMALLEST = """
[data]
sources = [{ path = "pairs" }]
[run]
steps = 10
"""


@pytest.fixture
def config(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def complaint(path, method="lora", overrides=()):
    with pytest.raises(RequestError) as caught:
        read_config(path, method=method, overrides=overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_file_lies_above_its_preset_and_the_command_line_above_both(config):
    path = config('preset = "lora-24gb"\n[lora]\nrank = 8' + SMALLEST)
    read = read_config(path, method="lora", overrides=["lora.alpha=4", "optimizer.name=adamw"])
    assert (read.lora.rank, read.lora.alpha, read.model.base) == (8, 4.0, "fp8")
    assert read.optimizer.name == "adamw"


def test_paths_are_relative_to_the_config(config, tmp_path):
    (tmp_path / "pairs").mkdir()
    read = read_config(config(SMALLEST), method="lora")
    assert Path(read.data.sources[0].path) == tmp_path / "pairs"


def test_the_name_of_a_data_set_stays_a_name(config):
    text = SMALLEST.replace('path = "pairs"', 'path = "someone/pairs", kind = "dataset"')
    assert read_config(config(text), method="lora").data.sources[0].path == "someone/pairs"


def test_an_unknown_key_is_named_with_the_nearest_one(config):
    text = complaint(config(SMALLEST.replace("steps", "stepss")))
    assert "config.toml" in text
    assert "unknown key run.stepss" in text
    assert "run.steps, the nearest" in text
    assert "data.sources.0.kind" in complaint(
        config(SMALLEST.replace('path = "pairs"', 'path = "pairs", kin = "store"'))
    )


def test_a_wrong_value_is_told_with_what_was_expected(config):
    text = complaint(config('[lora]\nrank = "large"' + SMALLEST))
    assert "lora.rank = 'large'" in text
    assert "integer" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("steps = 10", "steps = 10\nminutes = 3.0"), "run.steps and run.minutes"),
        (("steps = 10", ""), "exactly one of"),
        (('[{ path = "pairs" }]', "[]"), "at least one place"),
        (("[run]", '[validation]\ncases = [{ image = "no.png", instruction = "x" }]\n[run]'), "no.png"),
        (("[run]", "[objective]\ntext_to_image_share = 0.5\n[run]"), "only edits"),
    ],
)
def test_values_that_do_not_go_together_are_refused(config, change, words):
    assert words in complaint(config(SMALLEST.replace(*change)))


def test_full_training_refuses_a_quantised_base(config):
    assert 'model.base = "int8"' in complaint(config('[model]\nbase = "int8"' + SMALLEST), method="full")


def test_a_preset_of_the_other_method_is_refused(config):
    assert "step1x train full" in complaint(config('preset = "full-80gb"' + SMALLEST))


@pytest.mark.parametrize("text", ["[run\nsteps = 1", "steps == 3"])
def test_a_file_that_is_no_toml_is_told_with_its_line(config, text):
    assert "line" in complaint(config(text))


def test_a_file_that_is_not_there_is_told(tmp_path):
    assert "cannot be read" in complaint(tmp_path / "none.toml")


@pytest.mark.parametrize("override", ["run.steps", "=3", "run..steps=3"])
def test_an_override_without_key_or_value_is_refused(config, override):
    assert "section.key=value" in complaint(config(SMALLEST), overrides=[override])


@pytest.mark.parametrize("name", list(training_presets()))
def test_every_preset_makes_a_valid_config(config, name):
    preset = training_presets()[name]
    read = read_config(config(f'preset = "{name}"' + SMALLEST), method=preset.method)
    assert read.preset == name
    assert preset.source
    assert preset.memory
    assert preset.gave
