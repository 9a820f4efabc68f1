"""A wish: what an edit asks for, before it is put into words."""

from __future__ import annotations

from dataclasses import dataclass

from step1x_edit.data_engine.instructions.vocabulary import Colour, Place
from step1x_edit.data_engine.materials import Material
from step1x_edit.data_engine.objects import ObjectClass
from step1x_edit.data_engine.sceneries import Scenery
from step1x_edit.data_engine.styles import Style

__all__ = ["Wish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for; ``instructions/wording.py`` words it in either language and any voice."""

    key: str
    """What is worded: a task's benchmark key, with a variant behind it ("subject-add-placed", "tone_transfer-night")."""
    subject: ObjectClass | None = None
    """The object that is edited."""
    other: ObjectClass | None = None
    """The object that comes instead, for a replacement."""
    colour: Colour | None = None
    place: Place | None = None
    """Where the object is, or is to be."""
    material: Material | None = None
    """What the object is to be made of."""
    style: Style | None = None
    """How the whole picture is to be painted or drawn."""
    scenery: Scenery | None = None
    """What is to lie behind the subject, where that is more than a plain colour."""
