"""Wishes of every kind with objects, colours and places by chance, and texts with these words masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from step1x_edit.data_engine.instructions import Language, colours, places
from step1x_edit.data_engine.instructions.tables import said_forms
from step1x_edit.data_engine.materials import materials
from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.objects import object_classes
from step1x_edit.data_engine.sceneries import sceneries
from step1x_edit.data_engine.styles import styles
from step1x_edit.data_engine.wish import Wish
from step1x_edit.schema.tasks import EditTask

Thing = TypeVar("Thing")

KINDS: dict[EditTask, tuple[str, ...]] = {
    EditTask.SUBJECT_ADDITION: ("subject-add", "subject-add-placed"),
    EditTask.SUBJECT_REMOVAL: ("subject-remove", "subject-remove-placed"),
    EditTask.SUBJECT_REPLACEMENT: ("subject-replace",),
    EditTask.BACKGROUND_CHANGE: ("", "-named", "-scene", "-scene-named"),
    EditTask.COLOUR_ALTERATION: ("color_alter",),
    EditTask.MATERIAL_MODIFICATION: ("material_alter",),
    EditTask.STYLE_TRANSFER: ("style_change",),
    EditTask.TONE_TRANSFORMATION: tuple(f"tone_transfer-{name.replace(' ', '-')}" for name in mixture().tones),
}
"""The keys of each task; those of background change without the task's own."""
SIDES = ("left", "right")


def drawn_wish(task: EditTask, rng: np.random.Generator) -> Wish:
    """Draw a wish of a task."""
    kinds = KINDS[task]
    kind = kinds[int(rng.integers(len(kinds)))]
    if task is EditTask.BACKGROUND_CHANGE:
        named = one(object_classes(), rng) if kind.endswith("-named") else None
        scenery = one(sceneries(), rng) if "-scene" in kind else None
        colour = None if scenery else one(colours(), rng)
        return Wish(key=task.value + kind, subject=named, scenery=scenery, colour=colour)
    if task in (EditTask.TONE_TRANSFORMATION, EditTask.STYLE_TRANSFER):
        return Wish(key=kind, style=one(styles(), rng) if task is EditTask.STYLE_TRANSFER else None)
    place = None
    if kind.endswith("-placed"):
        place = one(places(), rng) if task is EditTask.SUBJECT_ADDITION else places()[SIDES[int(rng.integers(2))]]
    return Wish(
        key=kind,
        subject=one(object_classes(), rng),
        place=place,
        other=one(object_classes(), rng) if task is EditTask.SUBJECT_REPLACEMENT else None,
        colour=one(colours(), rng) if task is EditTask.COLOUR_ALTERATION else None,
        material=one(materials(), rng) if task is EditTask.MATERIAL_MODIFICATION else None,
    )


def one(known: Mapping[str, Thing], rng: np.random.Generator) -> Thing:
    return list(known.values())[int(rng.integers(len(known)))]


PLACES = {
    "en": r"\b(?:on|in|at) the (?:(?:top|upper|bottom|lower|very) )?(?:left|right|top|bottom|middle|cent(?:er|re)|upper|lower)"
    r"(?:[- ]hand side| side| part| corner)?",
    "zh": r"[左右][上下]?[边侧面角方]|[左右]手边|[上下][方面部]|[顶底]部|正?中[间央心]",
}


def form(text: str, wish: Wish, language: Language) -> str:
    """Return a text without case, punctuation, spelling and everything that is only filled in."""
    text = _plain(text)
    for name in sorted(_names(wish, language), key=len, reverse=True):
        text = text.replace(_plain(name), "_")
    if wish.place is not None:
        text = re.sub(PLACES[language], "_", text)
    text = re.sub(r"[.,?!;，。？\s]+", " ", text).strip()
    if language == "en":
        return re.sub(r"\b(?:an|some) _", "a _", text)
    return re.sub(r"(?:[一几]\w|一些)_", "一个_", text)


def _names(wish: Wish, language: Language) -> set[str]:
    names: set[str] = set()
    for what in (wish.subject, wish.other):
        if what is not None:
            names |= set(what.names if language == "en" else what.zh_names)
    for what in (wish.colour, wish.material, wish.style):
        if what is not None:
            names |= {*(what.en if language == "en" else what.zh), *said_forms(what.name, language)}
    if wish.scenery is not None:
        scenery = wish.scenery
        names |= {*scenery.en, *scenery.at_en} if language == "en" else {*scenery.zh, *scenery.at_zh}
    return names


def _plain(text: str) -> str:
    text = text.lower().replace("colour", "color").replace("grey", "gray").replace("centre", "center")
    return text.replace("modelling", "modeling")
