"""Judge's logs drawn by chance, with the faults that real ones have, and written as the judge writes them."""

from __future__ import annotations

import json
import random
from pathlib import Path

from step1x_edit.schema.judged import Answer, CaseId, GenerationRecord, JudgedCase, JudgeSettings, Question
from step1x_edit.schema.tasks import EditTask

JUDGE = JudgeSettings(
    backend="openai",
    model="gpt-4.1-2025-04-14",
    prompt_sha256="a" * 64,
    own_prompts=False,
    text_first=True,
    picture_form="jpeg",
    max_tokens=1400,
)


def answer(*numbers: float) -> Answer:
    text = json.dumps({"score": list(numbers), "reasoning": "as seen"})
    if len(numbers) == 2 and all(0 <= number <= 10 for number in numbers):
        return Answer(scores=(numbers[0], numbers[1]), raw=(text,), reasoning="as seen")
    return Answer(scores=None, raw=(text,), failure="wrong length" if len(numbers) != 2 else "out of range")


def unread(*raw: str) -> Answer:
    return Answer(scores=None, raw=raw, failure="unreadable")


def judged(
    number: int,
    task: EditTask,
    answers: dict[Question, Answer] | None,
    *,
    language: str = "en",
    intersection: bool = True,
) -> JudgedCase:
    return JudgedCase(
        case=CaseId(task=task, language=language, key=f"{number:032x}"),  # pyright: ignore[reportArgumentType]
        instruction=f"edit number {number}",
        intersection=intersection,
        source_sha256=f"{number:064x}",
        edited_sha256=None if answers is None else "e" * 64,
        missing="refused: no" if answers is None else "",
        answers=answers or {},
    )


def drawn_log(seed: int, *, least: int = 3, most: int = 9, lift: int = 0) -> tuple[JudgedCase, ...]:
    """All tasks in both languages; about one case in eight has no picture or no readable answer."""
    chance = random.Random(seed)
    cases = []
    for task in EditTask:
        for language in ("en", "cn"):
            for _ in range(chance.randint(least, most)):
                number, inside, fate = len(cases), chance.random() < 0.7, chance.random()
                numbers = [min(10, chance.randint(0, 9) + lift) for _ in range(4)]
                answers: dict[Question, Answer] | None = {
                    "consistency": answer(*numbers[:2]),
                    "quality": answer(*numbers[2:]),
                }
                if fate < 0.06:
                    answers = None
                elif fate < 0.12:
                    answers["quality"] = unread("I cannot say.", "Sorry.", "")
                cases.append(judged(number, task, answers, language=language, intersection=inside))
    return tuple(cases)


def write_run(
    out: Path, method: str, cases: tuple[JudgedCase, ...], *, judge: JudgeSettings = JUDGE, given: int = 0
) -> Path:
    """Write a judged run as `step1x bench judge` does; ``given`` more cases were edited and not judged."""
    folder = out / "results" / method / "judged" / judge.model
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(judge.model_dump_json(indent=1) + "\n", encoding="utf-8")
    log = "".join(one.model_dump_json() + "\n" for one in cases)
    (folder / "log.jsonl").write_text(log, encoding="utf-8")
    made = [one.case for one in cases]
    made += [CaseId(task=EditTask.STYLE_TRANSFER, language="en", key=f"extra-{number}") for number in range(given)]
    lines = (GenerationRecord(case=one, outcome="edited", seconds=1.0, seed=1).model_dump_json() for one in made)
    (folder.parent.parent / "generation.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return folder
