"""A wish: what an edit asks for, before it is put into words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from step1x_edit.data_engine.instructions.vocabulary import Colour, Place, places
from step1x_edit.data_engine.materials import Material
from step1x_edit.data_engine.objects import ObjectClass
from step1x_edit.data_engine.sceneries import Scenery
from step1x_edit.data_engine.styles import Style

__all__ = ["Wish", "mirrored_wish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for; ``instructions.phrase`` words it in either language and any voice."""

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


_OPPOSITE = {"left": "right", "right": "left"}


def mirrored_wish(wish: Wish) -> Wish:
    """Return the wish for the picture flipped left to right: what lay on the left lies on the right."""
    if wish.place is None:
        return wish
    words = [_OPPOSITE.get(word, word) for word in wish.place.name.split()]
    return replace(wish, place=places().get(" ".join(words), wish.place))
