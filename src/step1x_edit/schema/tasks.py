"""The eleven edit tasks of the paper, under the paper's names and GEdit-Bench's keys."""

from __future__ import annotations

from enum import StrEnum

from step1x_edit.errors import RequestError

__all__ = ["EditTask"]


class EditTask(StrEnum):
    """One of the eleven kinds of edit. The value is the key in GEdit-Bench, hyphens and underscores as published.

    Source:
        Step1X-Edit report (arXiv:2504.17761), Fig. 3 and section 3.1; ``task_type`` of stepfun-ai/GEdit-Bench.
    """

    paper_name: str

    SUBJECT_ADDITION = "subject-add", "subject addition"
    SUBJECT_REMOVAL = "subject-remove", "subject removal"
    SUBJECT_REPLACEMENT = "subject-replace", "subject replacement"
    BACKGROUND_CHANGE = "background_change", "background change"
    COLOUR_ALTERATION = "color_alter", "colour alteration"
    MATERIAL_MODIFICATION = "material_alter", "material modification"
    TEXT_MODIFICATION = "text_change", "text modification"
    MOTION_CHANGE = "motion_change", "motion change"
    PORTRAIT_BEAUTIFICATION = "ps_human", "portrait beautification"
    STYLE_TRANSFER = "style_change", "style transfer"
    TONE_TRANSFORMATION = "tone_transfer", "tone transformation"

    def __new__(cls, benchmark_key: str, paper_name: str) -> EditTask:
        """Make the key the value and keep the paper's name beside it."""
        task = str.__new__(cls, benchmark_key)
        task._value_ = benchmark_key
        task.paper_name = paper_name
        return task

    @property
    def benchmark_key(self) -> str:
        """The key in GEdit-Bench's files and folder names."""
        return self.value

    @classmethod
    def from_name(cls, name: str) -> EditTask:
        """Return the task of this benchmark key or paper name.

        Raises:
            RequestError: No task is called so.
        """
        for task in cls:
            if name in (task.benchmark_key, task.paper_name):
                return task
        raise RequestError(
            given=f"the edit task {name!r}",
            expected=f"one of {', '.join(task.benchmark_key for task in cls)}",
            remedy="Use a GEdit-Bench key or the paper's name of the task.",
        )
