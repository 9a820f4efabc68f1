"""``step1x data rewrite``, driven whole against a server on this machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "data_engine"))

from drawn_store import drawn_store
from loopback_chat import asked, loopback_chat, spoken

from step1x_edit.apps.cli import app
from step1x_edit.store import read_manifest, read_records

pytest.importorskip("pyarrow", reason="needs the extra `data`")
pytest.importorskip("openai", reason="the package openai (extra `data`) is not installed")


def rewrite(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", "rewrite", *map(str, words)])


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STEP1X_ASK_URL", "STEP1X_ASK_MODEL", "STEP1X_ASK_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_an_address_and_a_model_add_wordings_and_all_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_store(tmp_path / "store")
    monkeypatch.setenv("STEP1X_ASK_KEY", "from the environment")
    with loopback_chat() as chat:
        chat.answer = lambda body: (200, spoken(re.findall(r"^- (.*)$", asked(body), re.MULTILINE)[0] + "!!\nπ"))
        options = ("--ask-url", chat.url, "--model", "m", "--voices", "user", "--count", 1)
        result = rewrite(tmp_path / "store", "--out", tmp_path / "new", *options)
    assert result.exit_code == 0, result.output
    assert "16 wordings taken, 16 refused (language 16)" in result.stdout
    assert "8 questions were not asked" in result.stdout
    assert f"manifest hash: {read_manifest(tmp_path / 'new').hash}" in result.stdout
    assert {key for _, key, _ in chat.received} == {"Bearer from the environment"}
    assert (
        sum(one.writer == "m" for record in read_records(tmp_path / "new") for one in record.instruction_variants) == 16
    )


def test_nobody_is_asked_by_default(tmp_path: Path) -> None:
    drawn_store(tmp_path / "store")
    for options, words in (((), "--ask-url"), (("--ask-url", "http://127.0.0.1:9/v1"), "no model")):
        result = rewrite(tmp_path / "store", "--out", tmp_path / "new", *options)
        assert (result.exit_code, words in result.stderr) == (2, True), result.output
        assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_an_unknown_voice_and_a_server_that_is_not_there_are_one_line(tmp_path: Path) -> None:
    drawn_store(tmp_path / "store")
    with loopback_chat() as gone:
        address = ("--ask-url", gone.url, "--model", "m")
    for code, words, options in (
        (2, "detailed, concise, user", ("--voices", "shouted")),
        (6, gone.url, ("--seconds", 5)),
    ):
        result = rewrite(tmp_path / "store", "--out", tmp_path / "new", *address, *options)
        assert (result.exit_code, words in result.stderr) == (code, True), result.output
        assert len(result.stderr.splitlines()) == 1
