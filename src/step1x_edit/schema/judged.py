"""What a judge says about edits: the sample log of GEdit-Bench and everything that is averaged from it."""

from __future__ import annotations

from math import sqrt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from step1x_edit.schema.tasks import EditTask

__all__ = ["Answer", "CaseId", "CaseLanguage", "GenerationRecord", "JudgeSettings", "JudgedCase", "Question"]

CaseLanguage = Literal["en", "cn"]
"""As the published data set writes them; everywhere else in the package Chinese is ``zh``."""
Question = Literal["consistency", "quality"]
"""SC: was it done, and did the rest stay; PQ: natural, and free of artefacts. Each is answered with two numbers 0..10."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class CaseId(_Record):
    """What tells a case from all others. A key alone does not: two keys of the published set stand in two tasks each."""

    task: EditTask
    language: CaseLanguage
    key: str

    def __str__(self) -> str:
        """Return it as a relative path: task, language, key."""
        return f"{self.task.value}/{self.language}/{self.key}"


class GenerationRecord(_Record):
    """How an editor did with a case; the picture itself lies beside it in the official folder layout."""

    case: CaseId
    outcome: Literal["edited", "refused", "failed"]
    reason: str = ""
    """Why there is no picture: the editor's own words, in one line."""
    seconds: float
    seed: int | None


class JudgeSettings(_Record):
    """What decides a judge's answers; scores of other settings are never averaged together."""

    backend: Literal["openai", "transformers"]
    model: str
    """As the service or the folder names it; a dated snapshot where there is one."""
    service: str = ""
    """Host that was asked: one model behind two services gives two sets of scores. Empty for a local judge."""
    prompt_sha256: str
    """Of both questions as they were asked."""
    own_prompts: bool
    """Our wording, whose scores are not comparable with published tables."""
    text_first: bool
    """Order in the message: text before pictures (GPT-4.1) or after them (Qwen2.5-VL)."""
    structured: bool = False
    """Whether the service holds the answer to a JSON schema."""
    picture_form: Literal["jpeg", "png"]
    temperature: float | None = None
    max_tokens: int
    seed: int | None = None


class Answer(_Record):
    """A judge's answer to one question about one case."""

    scores: tuple[float, float] | None
    """Two numbers 0..10; ``None`` where no answer could be read, never a guess."""
    reasoning: str = ""
    raw: tuple[str, ...]
    """Every answer in the order it came, as it came; an error of the service by its name and words."""
    failure: str = ""
    """Why there are no scores: "empty", "refusal", "unreadable", "out of range", "wrong length", "service" and details."""
    seconds: float = 0.0
    """Of all tries together."""

    @property
    def tries(self) -> int:
        """How often it was asked."""
        return len(self.raw)


class JudgedCase(_Record):
    """One row of the sample log.

    Source: GEdit-Bench's protocol (VIEScore, arXiv:2312.14867): each question's score is the lesser of its two numbers.
    """

    case: CaseId
    instruction: str
    intersection: bool
    """Whether the case is in the published intersection subset."""
    source_sha256: str
    """Of the source's decoded RGB pixels."""
    edited_sha256: str | None
    """Of the edited picture's; ``None`` where there is none."""
    missing: str = ""
    """Why there is no edited picture: "refused: ...", "failed: ..." or "no file"."""
    answers: dict[Question, Answer] = Field(default_factory=dict)

    def score(self, question: Question) -> float | None:
        """Return SC or PQ, 0..10, or ``None`` where it is not known."""
        answer = self.answers.get(question)
        return None if answer is None or answer.scores is None else min(answer.scores)

    @property
    def overall(self) -> float | None:
        """sqrt(SC · PQ), where both are known."""
        consistency, quality = self.score("consistency"), self.score("quality")
        return None if consistency is None or quality is None else sqrt(consistency * quality)

    @property
    def state(self) -> Literal["scored", "unscored", "missing"]:
        """Whether it counts in a mean; "unscored": there is a picture, but not both scores."""
        if self.edited_sha256 is None:
            return "missing"
        return "scored" if self.overall is not None else "unscored"
