"""The two questions a judge is asked: our own wording, or texts of the user's."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from step1x_edit.errors import RequestError
from step1x_edit.schema.judged import Question

__all__ = ["JudgePrompts", "own_prompts", "read_prompts"]

PLACE = "<instruction>"
"""Where the instruction goes, as in the published texts."""
RELEASED, RELEASED_FOLDER = "vie_prompts.py", "viescore"
RELEASED_PARTS: dict[Question, tuple[str, ...]] = {
    "consistency": ("_context_no_delimit", "_prompts_0shot_two_image_edit_rule", "_prompts_0shot_tie_rule_SC"),
    "quality": ("_context_no_delimit", "_prompts_0shot_rule_PQ"),
}
"""Names in the released file, joined with line feeds, for the task "tie" that GEdit-Bench uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePrompts:
    """Both questions; the one about consistency has a place for the instruction.

    Raises:
        RequestError: The place is absent where it belongs, or there where it does not.
    """

    consistency: str
    """Asked about source and edited picture."""
    quality: str
    """Asked about the edited picture alone, without the instruction."""

    def __post_init__(self) -> None:
        if PLACE not in self.consistency or PLACE in self.quality:
            raise RequestError(
                given=f"judge prompts with {PLACE} {'in the quality' if PLACE in self.quality else 'not in the'} question",
                expected=f"{PLACE} in the question about consistency, and only there",
                remedy="Correct the texts behind --judge-prompts.",
            )

    @property
    def sha256(self) -> str:
        """Hash of both texts, 64 hexadecimal digits."""
        return hashlib.sha256(f"{self.consistency}\0{self.quality}".encode()).hexdigest()

    @property
    def own(self) -> bool:
        """Whether the wording is ours, whose scores are not comparable with published tables."""
        return self == own_prompts()

    def asked(self, question: Question, instruction: str) -> str:
        """Return the text of a question about an instruction."""
        return self.quality if question == "quality" else self.consistency.replace(PLACE, instruction)


@cache
def own_prompts() -> JudgePrompts:
    """Return our own wording."""
    folder = files("step1x_edit.benchmark") / "prompts"
    texts = [(folder / f"{name}.txt").read_text(encoding="utf-8") for name in ("consistency", "quality")]
    return JudgePrompts(consistency=texts[0], quality=texts[1])


def read_prompts(folder: Path) -> JudgePrompts:
    """Read questions of the user's.

    Args:
        folder: Holds ``consistency.txt`` and ``quality.txt``, or the released ``vie_prompts.py`` (itself or in its folder
            ``viescore``), which is read as text and never run.

    Raises:
        RequestError: A file or a text in it is absent or unusable.
    """
    for path in (folder / RELEASED, folder / RELEASED_FOLDER / RELEASED):
        if path.is_file():
            return _released_prompts(path)
    return JudgePrompts(consistency=_text(folder / "consistency.txt"), quality=_text(folder / "quality.txt"))


def _released_prompts(path: Path) -> JudgePrompts:
    texts: dict[str, str] = {}
    try:
        body = ast.parse(_text(path)).body
    except (SyntaxError, ValueError) as fault:
        raise _unusable(path, f"which is no Python ({fault})") from fault
    for line in body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                texts[name] = text
    lacking = sorted({name for names in RELEASED_PARTS.values() for name in names} - set(texts))
    if lacking:
        raise _unusable(path, f"which lacks the texts {', '.join(lacking)}")
    joined = {question: "\n".join(texts[name] for name in names) for question, names in RELEASED_PARTS.items()}
    return JudgePrompts(consistency=joined["consistency"], quality=joined["quality"])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise _unusable(path, "which cannot be read") from fault


def _unusable(path: Path, why: str) -> RequestError:
    return RequestError(
        given=f"{path}, {why}",
        expected=f"a folder with consistency.txt and quality.txt, or with the released {RELEASED}",
        remedy="Correct --judge-prompts.",
    )
