"""A stored triplet → the wish it was made from, so that further texts can be held to it."""

from __future__ import annotations

from typing import Any

from step1x_edit.data_engine.instructions.vocabulary import Language, colours, places
from step1x_edit.data_engine.materials import materials
from step1x_edit.data_engine.objects import ObjectClass, object_class, seen_classes
from step1x_edit.data_engine.sceneries import sceneries
from step1x_edit.data_engine.styles import styles
from step1x_edit.data_engine.wish import Wish
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import EditTriplet

__all__ = ["recalled_wish"]


def recalled_wish(record: EditTriplet, language: Language) -> Wish | None:
    """Return what a triplet asks for, with the names it has in a language.

    Returns:
        The wish; None where the record names something that no table knows in that language, such as, in Chinese, a
        label from somebody's own list.
    """
    try:
        subject = _class(record.aux.subject, language) if record.aux.subject else None
        place = places()[record.aux.place] if record.aux.place else None
        return Wish(key=record.subtask, subject=subject, place=place, **_asked_for(record, language))
    except KeyError:
        return None


def _asked_for(record: EditTriplet, language: Language) -> dict[str, Any]:
    """Return what the detail of a record stands for, under its name in a wish."""
    detail = record.aux.detail
    match record.task:
        case EditTask.SUBJECT_REPLACEMENT:
            return {"other": _class(detail, language)}
        case EditTask.COLOUR_ALTERATION:
            return {"colour": colours()[detail]}
        case EditTask.MATERIAL_MODIFICATION:
            return {"material": materials()[detail]}
        case EditTask.STYLE_TRANSFER:
            return {"style": styles()[detail]}
        case EditTask.BACKGROUND_CHANGE if record.subtask == f"{EditTask.BACKGROUND_CHANGE.value}-scene":
            return {"scenery": sceneries()[detail]}
        case EditTask.BACKGROUND_CHANGE:
            return {"colour": colours()[detail]}
    return {}


def _class(name: str, language: Language) -> ObjectClass:
    return object_class(name) if language == "en" else seen_classes()[name]
