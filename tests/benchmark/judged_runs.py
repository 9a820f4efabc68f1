"""Runs that a judge has scored, drawn here: pictures in the official layout, and the judge's log beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from step1x_edit.measures.hashing import pixel_sha256
from step1x_edit.schema.judged import Answer, CaseId, CaseLanguage, JudgedCase, JudgeSettings
from step1x_edit.schema.tasks import EditTask

JUDGE = "loopback"
SETTINGS = JudgeSettings(
    backend="openai",
    model="judge-2026-01-01",
    prompt_sha256="ab" * 32,
    own_prompts=True,
    text_first=True,
    picture_form="jpeg",
    max_tokens=1400,
)


def draw_run(
    folder: Path,
    method: str,
    *,
    seed: int = 0,
    tasks: Sequence[EditTask] = tuple(EditTask),
    languages: Sequence[CaseLanguage] = ("en",),
    per_task: int = 3,
    size: tuple[int, int] = (96, 64),
    settings: JudgeSettings = SETTINGS,
    noise: int = 6,
) -> Path:
    """Write a run and its judge's log; return ``results/METHOD``.

    The second case of a task has no picture, the third no readable answer about quality; the others are scored.
    """
    run = folder / "results" / method
    cases = [
        _case(run, task, language, number, seed=seed, size=size, noise=noise)
        for task in tasks
        for language in languages
        for number in range(per_task)
    ]
    judged = run / "judged" / JUDGE
    judged.mkdir(parents=True)
    (judged / "settings.json").write_text(settings.model_dump_json(), encoding="utf-8")
    (judged / "log.jsonl").write_text("".join(f"{one.model_dump_json()}\n" for one in cases), encoding="utf-8")
    return run


def _case(
    run: Path, task: EditTask, language: CaseLanguage, number: int, *, seed: int, size: tuple[int, int], noise: int
) -> JudgedCase:
    case = CaseId(task=task, language=language, key=f"{number:032x}")
    place = list(EditTask).index(task) * 1000 + number
    source = _scene(size, place, (200, 50, 40), noise)
    missing = number % 10 == 1
    edited = None if missing else _scene(size, place, (40, 90 + 40 * (seed % 3), 200), noise)
    path = run / "fullset" / f"{case}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(source).save(path.with_name(f"{case.key}_SRCIMG.png"), compress_level=1)
    if edited is not None:
        Image.fromarray(edited).save(path, compress_level=1)
    chosen = np.random.default_rng([seed, place]).integers(2, 11, 4).tolist()
    return JudgedCase(
        case=case,
        instruction=f"make box {number} <b>blue</b>" if language == "en" else f"把盒子{number}变成蓝色",
        intersection=number % 2 == 0,
        source_sha256=pixel_sha256(source),
        edited_sha256=None if edited is None else pixel_sha256(edited),
        missing="refused: not allowed" if missing else "",
        answers={} if missing else _answers(chosen, readable=number % 10 != 2),
    )


def _answers(chosen: list[int], *, readable: bool) -> dict:
    first = Answer(scores=(chosen[0], chosen[1]), reasoning="The box is blue & the wall stayed.", raw=("{...}",))
    if readable:
        return {"consistency": first, "quality": Answer(scores=(chosen[2], chosen[3]), reasoning="Clean.", raw=("{}",))}
    unread = Answer(scores=None, raw=("I'd rather not", "No <script>alert(1)</script>"), failure="refusal")
    return {"consistency": first, "quality": unread}


def _scene(size: tuple[int, int], seed: int, colour: tuple[int, int, int], noise: int) -> np.ndarray:
    """A box before a green wall."""
    width, height = size
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), (60, 140, 70), dtype=np.int64) + rng.integers(
        -noise, noise + 1, (height, width, 1)
    )
    pixels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = colour
    return np.clip(pixels, 0, 255).astype(np.uint8)
