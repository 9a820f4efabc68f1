"""The commands driven whole, with a tiny pipeline of the real classes saved to a folder."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny import tiny_pipeline
from typer.testing import CliRunner

from step1x_edit.apps.cli import app
from step1x_edit.pipeline.outcome import read_parameters


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_pipeline("v1.1").save_pretrained(folder)
    return folder


@pytest.fixture
def photo(tmp_path) -> Path:
    return picture(tmp_path / "cat.png", (52, 37))


def picture(path: Path, size: tuple[int, int], mode: str = "RGB") -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path)
    return path


def arguments(weights: Path, *more: object) -> list[str]:
    engine = ("--release", "v1.1", "--weights", weights, "--device", "cpu", "--dtype", "float32", "--threads", 1)
    return [str(word) for word in (*more, *engine, "--size-level", 64, "--steps", 2)]


def adapter(path: Path, *, seed: int = 0) -> Path:
    """Write a LoRA in PEFT's layout that fits the tiny transformer."""
    generator = torch.Generator().manual_seed(seed)
    name = "transformer.transformer_blocks.0.attn.to_q.lora_"
    save_file({f"{name}{part}.weight": torch.randn(size, generator=generator) for part, size in _RANK_4.items()}, path)
    return path


_RANK_4 = {"A": (4, 64), "B": (64, 4)}


def step1x(*words: str):
    return CliRunner().invoke(app, list(words))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_an_edit_has_the_size_of_its_input_and_its_recipe_inside(tmp_path, photo, weights):
    out = tmp_path / "night.png"
    answer = step1x(*arguments(weights, "edit", photo, "-i", "make it night", "-o", out, "--seed", 5))
    assert answer.exit_code == 0, answer.stderr
    assert str(out) in answer.stdout
    assert pixels(out).shape == (37, 52, 3)
    parameters = read_parameters(out)
    assert (parameters.instruction, parameters.reference_path) == ("make it night", photo)
    assert (parameters.settings.seed, parameters.settings.steps, parameters.settings.release) == (5, 2, "v1.1")


def test_alpha_is_copied_through(tmp_path, weights):
    photo = picture(tmp_path / "clear.png", (40, 40), "RGBA")
    out = tmp_path / "night.webp"
    assert step1x(*arguments(weights, "edit", photo, "-i", "night", "-o", out)).exit_code == 0
    assert (pixels(out)[..., 3] == pixels(photo)[..., 3]).all()


def test_replay_makes_the_same_pixels(tmp_path, photo, weights):
    out = tmp_path / "night.png"
    step1x(*arguments(weights, "edit", photo, "-i", "把天空变成夜晚", "-o", out, "--seed", 5, "--negative", "blurry"))
    answer = step1x("replay", str(out))
    assert answer.exit_code == 0, answer.stderr
    assert "the same pixels" in answer.stdout
    assert answer.stderr == ""
    again = tmp_path / "night-replay.png"
    assert (pixels(again) == pixels(out)).all()
    assert read_parameters(again) == read_parameters(out)


def test_replay_warns_of_other_threads_and_finds_a_moved_reference_by_its_hash(tmp_path, photo, weights):
    out = tmp_path / "results" / "night.png"
    step1x(*arguments(weights, "edit", photo, "-i", "night", "-o", out))
    moved = photo.rename(tmp_path / "results" / photo.name)
    answer = step1x("replay", str(out), "--threads", "2")
    torch.set_num_threads(1)
    assert answer.exit_code == 0, answer.stderr
    assert "threads was 1 and is 2 now" in answer.stderr
    moved.write_bytes(moved.read_bytes() + b"\0")
    answer = step1x("replay", str(out), "--out", str(tmp_path / "again.png"))
    assert answer.exit_code == 2
    assert "has changed since" in answer.stderr
    moved.unlink()
    answer = step1x("replay", str(out), "--out", str(tmp_path / "again.png"))
    assert answer.exit_code == 2
    assert "which is not there" in answer.stderr


def test_a_job_list_goes_on_where_it_was_stopped(tmp_path, photo, weights):
    jobs, out = tmp_path / "jobs.jsonl", tmp_path / "out"
    lines = [
        {"image": "cat.png", "instruction": "night", "out": "night.png"},
        {"image": "cat.png", "instructions": ["雪", "fog"], "seed": 3},
    ]
    jobs.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    command = arguments(weights, "edit", jobs, "-o", out)
    answer = step1x(*command)
    assert answer.exit_code == 0, answer.stderr
    assert {path.name for path in out.iterdir()} == {
        "night.png",
        "cat-雪-seed3.png",
        "cat-fog-seed3.png",
        "contact-sheet.png",
    }
    (out / "cat-fog-seed3.png").unlink()
    before = (out / "night.png").stat().st_mtime_ns
    answer = step1x(*command)
    assert answer.exit_code == 0, answer.stderr
    assert "1 edited, 2 already there" in answer.stdout
    assert (out / "night.png").stat().st_mtime_ns == before
    assert (out / "cat-fog-seed3.png").exists()


def test_other_parameters_do_not_count_as_done(tmp_path, photo, weights):
    out = tmp_path / "night.png"
    assert step1x(*arguments(weights, "edit", photo, "-i", "night", "-o", out)).exit_code == 0
    before = out.read_bytes()
    answer = step1x(*arguments(weights, "edit", photo, "-i", "night", "-o", out, "--seed", 1))
    assert (answer.exit_code, out.read_bytes()) == (2, before)
    answer = step1x(*arguments(weights, "edit", photo, "-i", "night", "-o", out, "--seed", 1, "--force"))
    assert answer.exit_code == 0, answer.stderr
    assert read_parameters(out).settings.seed == 1


def test_one_bad_picture_does_not_stop_a_folder(tmp_path, weights):
    photos = tmp_path / "photos"
    photos.mkdir()
    picture(photos / "good.png", (40, 40))
    (photos / "bad.png").write_bytes((photos / "good.png").read_bytes()[:500])
    answer = step1x(*arguments(weights, "edit", photos, "-i", "night", "-o", tmp_path / "out"))
    assert answer.exit_code == 2
    assert "truncated or corrupt" in answer.stderr
    assert "1 edited, 1 failed" in answer.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good-night.png", "contact-sheet.png"}


def test_compare_puts_seeds_side_by_side_and_may_be_repeated(tmp_path, photo, weights):
    sheet = tmp_path / "sheet.png"
    command = arguments(weights, "compare", photo, "-i", "night", "-i", "夜", "--seed", 0, "--seed", 1, "-o", sheet)
    for _ in range(2):
        answer = step1x(*command)
        assert answer.exit_code == 0, answer.stderr
    assert pixels(sheet).shape[1] > 3 * 320
    sheet.write_bytes(b"mine")
    assert step1x(*command).exit_code == 2
    assert sheet.read_bytes() == b"mine"


def test_adapters_are_replayed_and_compared_and_a_changed_one_is_told(tmp_path, photo, weights):
    style, out = adapter(tmp_path / "style.safetensors"), tmp_path / "night.png"
    answer = step1x(*arguments(weights, "edit", photo, "-i", "night", "-o", out, "--lora", f"{style}:0.5"))
    assert answer.exit_code == 0, answer.stderr
    assert [use.scale for use in read_parameters(out).settings.adapters] == [0.5]
    assert "the same pixels" in step1x("replay", str(out)).stdout
    sheet = tmp_path / "sheet.png"
    answer = step1x(*arguments(weights, "compare", photo, "-i", "night", "--lora", style, "-o", sheet))
    assert answer.exit_code == 0, answer.stderr
    adapter(style, seed=1)
    assert "style.safetensors has changed" in step1x("replay", str(out), "--force").stderr


def test_a_weight_file_that_is_broken_exits_4_and_missing_ones_exit_3(tmp_path, photo, weights):
    broken = tmp_path / "broken"
    tiny_pipeline("v1.1").save_pretrained(broken)
    for path in (broken / "transformer").glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:1000])
    answer = step1x(*arguments(broken, "edit", photo, "-i", "night", "-o", tmp_path / "out.png"))
    assert (answer.exit_code, answer.stderr.count("\n")) == (4, 1), answer.stderr
    answer = step1x(*arguments(tmp_path / "nowhere", "edit", photo, "-i", "night", "-o", tmp_path / "out.png"))
    assert (answer.exit_code, answer.stderr.count("\n")) == (3, 1), answer.stderr
    assert not (tmp_path / "out.png").exists()


def test_ctrl_c_leaves_within_a_step_with_130_and_no_half_file(tmp_path, photo, weights):
    out, log = tmp_path / "out", tmp_path / "run.log"
    command = [*arguments(weights, "edit", photo, "-i", "night", "-o", out), "--steps", "1000", "--log", str(log)]
    process = subprocess.Popen(
        [sys.executable, "-c", "from step1x_edit.apps.cli import main; main()", *command],
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (log.exists() and "Editing" in log.read_text()):
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert complaint.count("\n") == 1
    assert "Interrupted" in complaint
    assert not out.exists() or not list(out.iterdir())


def test_a_number_that_is_not_finite_exits_5_and_writes_nothing(tmp_path, photo):
    pipeline = tiny_pipeline("v1.1")
    with torch.no_grad():
        pipeline.transformer.transformer_blocks[1].attn.to_q.weight.fill_(torch.nan)
    pipeline.save_pretrained(tmp_path / "weights")
    answer = step1x(*arguments(tmp_path / "weights", "edit", photo, "-i", "night", "-o", tmp_path / "out.png"))
    assert (answer.exit_code, answer.stderr.count("\n")) == (5, 1), answer.stderr
    assert not (tmp_path / "out.png").exists()


def test_a_place_that_cannot_be_written_is_told_before_any_work(tmp_path, photo, weights):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.png").mkdir()
    for out in (tmp_path / "file", tmp_path / "file" / "deeper", tmp_path / "folder.png"):
        answer = step1x(
            *arguments(tmp_path / "no weights", "edit", photo, "-i", "make it red", "--out", out, "--force")
        )
        assert answer.exit_code == 2 and "--out" in answer.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_a_mark_for_pictures_is_no_instruction(tmp_path, photo, weights):
    answer = step1x(*arguments(weights, "edit", photo, "-i", "draw <|image_pad|>", "--out", tmp_path / "out"))
    assert answer.exit_code == 2 and "<|image_pad|>" in answer.stderr
    assert not (tmp_path / "out").exists()


def test_a_multimodal_llm_that_is_broken_or_incomplete_exits_4(tmp_path, photo, weights):
    for damage, words in ((lambda tensors: tensors.popitem(), "lacks"), (None, "cannot be loaded")):
        folder = tmp_path / words
        shutil.copytree(weights, folder)
        file = folder / "text_encoder" / "model.safetensors"
        if damage is None:
            file.write_bytes(file.read_bytes()[:5000])
        else:
            tensors = load_file(file)
            damage(tensors)
            save_file(tensors, file, metadata={"format": "pt"})
        answer = step1x(*arguments(folder, "edit", photo, "-i", "make it red", "--out", tmp_path / "out"))
        assert answer.exit_code == 4 and words in answer.stderr and "Traceback" not in answer.stderr


def test_a_pickle_is_refused_before_absent_parts_are_missed(tmp_path, photo):
    torch.save({"x": torch.zeros(2)}, tmp_path / "v1.1.safetensors")
    answer = step1x(*arguments(tmp_path / "v1.1.safetensors", "edit", photo, "-i", "make it red"))
    assert answer.exit_code == 4 and "pickle" in answer.stderr
