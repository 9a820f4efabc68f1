"""The eleven edit tasks of the report (arXiv:2504.17761, figure 2) under the keys of GEdit-Bench."""

from __future__ import annotations

from enum import Enum

__all__ = ["EditTask"]


class EditTask(Enum):
    """One of the eleven kinds of edit: the value is its GEdit-Bench key, ``title`` the report's name."""

    SUBJECT_ADDITION = "subject-add", "subject addition"
    SUBJECT_REMOVAL = "subject-remove", "subject removal"
    SUBJECT_REPLACEMENT = "subject-replace", "subject replacement"
    BACKGROUND_CHANGE = "background_change", "background change"
    COLOUR_ALTERATION = "color_alter", "color alteration"
    MATERIAL_MODIFICATION = "material_alter", "material modification"
    TEXT_MODIFICATION = "text_change", "text modification"
    MOTION_CHANGE = "motion_change", "motion change"
    PORTRAIT_EDITING = "ps_human", "portrait editing and beautification"
    STYLE_TRANSFER = "style_change", "style transfer"
    TONE_TRANSFORMATION = "tone_transfer", "tone transformation"

    title: str

    def __new__(cls, key: str, title: str) -> EditTask:
        """Make the key the value, so that ``EditTask("tone_transfer")`` finds its member."""
        member = object.__new__(cls)
        member._value_ = key
        member.title = title
        return member
