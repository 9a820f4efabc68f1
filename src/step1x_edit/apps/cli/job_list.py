"""Job lists: a JSONL file → its lines as checked records, each knowing its place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from step1x_edit.errors import RequestError
from step1x_edit.schema.edit import request_error

__all__ = ["JobLine", "read_job_list"]


class JobLine(BaseModel):
    """One line of a job list: a picture, what to do to it, and where it differs from the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: Path
    """The reference image; a relative path starts at the list's folder."""
    instruction: str | None = None
    instructions: tuple[str, ...] = ()
    """Several edits of one picture, instead of ``instruction``; neither means those of the command line."""
    out: Path | None = None
    """File of the result; a relative path starts at ``--out``."""
    negative_instruction: str | None = None
    seed: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    size_level: int | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """All instructions of the line."""
        return self.instructions if self.instruction is None else (self.instruction, *self.instructions)


def read_job_list(path: Path) -> Iterator[tuple[str, JobLine]]:
    """Yield each line with its place for messages ("line 3 of jobs.jsonl: ").

    Raises:
        RequestError: The file is no text, is empty, or a line is no job.
    """
    try:
        texts = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            given=f"{path}, which cannot be read as text",
            expected="a job list in UTF-8",
            remedy="Save it again as UTF-8.",
        ) from error
    numbered = [(number, text) for number, text in enumerate(texts, start=1) if text.strip()]
    if not numbered:
        raise RequestError(
            given=f"{path}, a job list without lines",
            expected='lines such as {"image": "photo.jpg", "instruction": "make it night"}',
            remedy="Write one edit on each line.",
        )
    for number, text in numbered:
        place = f"line {number} of {path}: "
        try:
            line = JobLine.model_validate_json(text)
        except ValidationError as error:
            raise request_error(error, where=place) from error
        yield place, line.model_copy(update={"image": path.parent / line.image})
