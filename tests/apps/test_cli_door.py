"""The door itself: help, exit codes, one clean line, and nothing heavy before it is needed."""

import subprocess
import sys

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from step1x_edit.apps.cli import app
from step1x_edit.apps.cli.commands import COMMANDS
from step1x_edit.apps.cli.failures import reported
from step1x_edit.errors import (
    CheckpointError,
    DataError,
    ExpertError,
    MissingExtra,
    MissingRelease,
    NumericalError,
    RequestError,
)


def step1x(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "cat.png"
    Image.new("RGB", (20, 20)).save(path)
    return path


def test_help_lists_commands_and_exit_codes():
    answer = step1x("--help")
    assert answer.exit_code == 0
    assert all(name in answer.stdout for name in COMMANDS)
    for code, words in {0: "done", 2: "bad request", 3: "missing release", 4: "checkpoint", 130: "interrupted"}.items():
        assert any(line.split()[:1] == [str(code)] and words in line for line in answer.stdout.splitlines())


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from step1x_edit.apps.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'pydantic', 'PIL', 'numpy', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("command", ["edit", "replay", "compare"])
def test_every_command_explains_itself(command):
    answer = step1x(command, "--help")
    assert answer.exit_code == 0
    assert "--out" in answer.stdout


def test_bad_usage_exits_2_without_a_traceback(photo):
    for arguments in (["edti"], ["edit"], ["edit", photo, "--colour"], ["edit", photo, "--steps", "many"], ["--foo"]):
        answer = step1x(*arguments)
        assert answer.exit_code == 2, arguments
        assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.png", "-i", "x"], "does not exist"),
        (["{photo}"], "no instruction"),
        (["{photo}", "-i", " "], "an empty instruction"),
        (["{photo}", "-i", "x", "--steps", "0"], "steps 0"),
        (["{photo}", "-i", "x", "--guidance", "99"], "guidance_scale 99"),
        (["{photo}", "-i", "x", "--lora", "missing.safetensors:0.5"], "the adapter missing.safetensors"),
        (["{text}", "-i", "x"], "no picture known here"),
        (["{small}", "-i", "x"], "15 x 20 pixels"),
    ],
)
def test_a_bad_request_is_one_line_and_exit_code_2(tmp_path, photo, arguments, words):
    (tmp_path / "text.png").write_text("words")
    Image.new("RGB", (15, 20)).save(tmp_path / "small.png")
    places = {"photo": photo, "text": tmp_path / "text.png", "small": tmp_path / "small.png"}
    answer = step1x("edit", *(text.format(**places) for text in arguments), "-o", tmp_path / "out")
    assert answer.exit_code == 2, answer.stderr
    assert words in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_release_exits_3(photo):
    answer = step1x("edit", photo, "-i", "x", "--release", "v9")
    assert answer.exit_code == 3
    assert "'v9'" in answer.stderr


def test_a_file_in_the_way_is_left_alone(tmp_path, photo):
    (tmp_path / "out.png").write_bytes(b"precious")
    answer = step1x("edit", photo, "-i", "x", "-o", tmp_path / "out.png")
    assert (answer.exit_code, (tmp_path / "out.png").read_bytes()) == (2, b"precious")
    assert "--force" in answer.stderr


def test_replay_refuses_what_it_did_not_make(photo):
    answer = step1x("replay", photo)
    assert answer.exit_code == 2
    assert "without parameters" in answer.stderr


def test_compare_wants_two_ways(photo):
    answer = step1x("compare", photo, "-i", "x")
    assert answer.exit_code == 2
    assert "two or more" in answer.stderr


@pytest.mark.parametrize(
    ("family", "code"),
    [
        (RequestError, 2),
        (MissingRelease, 3),
        (MissingExtra, 3),
        (CheckpointError, 4),
        (NumericalError, 5),
        (ExpertError, 6),
        (DataError, 6),
    ],
)
def test_each_family_has_its_exit_code(family, code, capsys):
    with pytest.raises(typer.Exit) as left, reported(log=None, debug=False):
        raise family(given="this", expected="that", remedy="Do so.")
    assert left.value.exit_code == code
    assert capsys.readouterr().err == "step1x: Given this; expected that. Do so.\n"


def test_an_interrupt_exits_130(capsys):
    with pytest.raises(typer.Exit) as left, reported(log=None, debug=False):
        raise KeyboardInterrupt
    assert left.value.exit_code == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_the_unexpected_is_one_line_and_exit_code_1(capsys):
    with pytest.raises(typer.Exit) as left, reported(log=None, debug=False):
        raise ZeroDivisionError("division\nby zero")
    assert left.value.exit_code == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_log_file_takes_the_traceback_and_may_stand_anywhere_on_the_line(tmp_path):
    log = tmp_path / "run.log"
    command = [sys.executable, "-c", "from step1x_edit.apps.cli import main; main()"]
    answer = subprocess.run(
        [*command, "edit", "missing.png", "-i", "x", "--log", log], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    assert "Traceback" in log.read_text()
