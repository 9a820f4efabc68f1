"""The doors to judge and agreement, driven whole against a real server on this machine."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmark"))

from loopback_judge import loopback_judge
from test_judging import cases_in

from step1x_edit.apps.cli import app
from step1x_edit.benchmark.scores.judged_run import read_judged_run
from step1x_edit.errors import RequestError

pytest.importorskip("openai", reason="the package openai (extra `bench`) is not installed")


def called(*words: object) -> Result:
    return CliRunner().invoke(app, ["bench", *map(str, words)])


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """A folder of cases of the user's, and an editor's pictures of them."""
    monkeypatch.delenv("STEP1X_ASK_URL", raising=False)
    monkeypatch.delenv("STEP1X_ASK_MODEL", raising=False)
    folder, own = tmp_path / "results" / "toy", tmp_path / "own"
    own.mkdir()
    lines = []
    for case in cases_in(folder, 4):
        case.open_source().save(own / f"{case.id.key}.png")
        words = {"task": case.id.task.value, "key": case.id.key, "image": f"{case.id.key}.png"}
        lines.append(json.dumps(words | {"instruction": case.instruction, "language": case.id.language}))
    (own / "cases.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    yield folder, own


def test_a_judge_is_told_the_cost_first_asked_once_and_compared_with_another(made: tuple[Path, Path]) -> None:
    folder, own = made
    with loopback_judge() as server:
        dry = called("judge", folder, "--suite", own, "--judge-url", server.url, "--model", "gpt-4.1-mini", "--dry-run")
        assert "8 questions to gpt-4.1-mini at 127.0.0.1" in dry.output and "cost: about $" in dry.output, dry.output
        assert not server.requests
        for model in ("gpt-4.1-mini", "Qwen2.5-VL-72B-Instruct"):
            words = ("judge", folder, "--suite", own, "--judge-url", server.url, "--model", model)
            first, second = called(*words), called(*words)
            assert "4 cases: 4 scored, 0 unscored, 0 missing" in first.output, first.output
            assert "nothing is asked" in second.output
        assert len(server.requests) == 16
    judges = sorted((folder / "judged").iterdir())
    assert len(judges) == 2 and len(read_judged_run(judges[0]).cases) == 4
    table = called("agreement", *judges)
    assert "4 pictures that both were shown" in table.output, table.output
    figures = json.loads(called("agreement", *judges, "--json").output)
    assert [one["measure"] for one in figures["measures"]] == ["SC", "PQ", "O"]


def test_a_language_without_pictures_is_left_out_unless_it_is_asked_for(made: tuple[Path, Path]) -> None:
    folder, own = made
    with loopback_judge() as server:
        words = ("judge", folder, "--suite", own, "--judge-url", server.url, "--model", "m")
        assert "2 cases" in called(*words, "--languages", "cn").output
        for place in folder.glob("fullset/*/cn"):
            shutil.rmtree(place)
        assert "2 cases: 2 scored" in called(*words).output


def test_no_judge_is_asked_by_default(made: tuple[Path, Path]) -> None:
    result = called("judge", made[0], "--suite", made[1])
    assert result.exit_code == RequestError.exit_code
    assert "--judge-url" in result.output


def test_a_wrong_key_ends_the_run_in_a_sentence(made: tuple[Path, Path]) -> None:
    from loopback_chat import loopback_chat

    with loopback_chat() as server:
        server.answer = lambda _body: (401, {"error": {"message": "wrong key"}})
        result = called("judge", made[0], "--suite", made[1], "--judge-url", server.url, "--model", "m")
    assert result.exit_code == 6
    assert "wrong key" in result.output


def test_qwen_on_this_machine_judges_and_its_babble_is_no_score(made: tuple[Path, Path], tmp_path: Path) -> None:
    from tiny import byte_tokenizer, tiny_llm
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    model, tokenizer = tmp_path / "tiny-qwen", byte_tokenizer()
    tiny_llm(tokenizer).save_pretrained(model)
    tokenizer.save_pretrained(model)
    Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=56 * 56).save_pretrained(model)
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "consistency.txt").write_text("Was <instruction> done?", encoding="utf-8")
    (prompts / "quality.txt").write_text("Is it good?", encoding="utf-8")
    words = ("judge", made[0], "--suite", made[1], "--local", model, "--judge-prompts", prompts, "--languages", "en")
    first = called(*words)
    assert "2 cases: 0 scored, 2 unscored, 0 missing" in first.output, first.output
    (log,) = made[0].glob("judged/*/log.jsonl")
    kept = log.read_bytes()
    assert "nothing is asked" in called(*words).output
    assert log.read_bytes() == kept
    assert all(answer.tries == 1 for row in read_judged_run(log.parent).cases for answer in row.answers.values())


def test_a_folder_that_is_no_model_is_refused(made: tuple[Path, Path], tmp_path: Path) -> None:
    result = called("judge", made[0], "--suite", made[1], "--local", tmp_path)
    assert result.exit_code == RequestError.exit_code
    assert "Qwen2.5-VL" in result.output
