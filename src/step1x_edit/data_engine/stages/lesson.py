"""The stage for nano's lessons: as photographs look, but what an edit brings in has one usual look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import UInt8

from step1x_edit.data_engine.instructions import Place
from step1x_edit.data_engine.objects import ObjectClass
from step1x_edit.data_engine.pool import Picture
from step1x_edit.data_engine.scene import Placed, Scene
from step1x_edit.data_engine.stages.photographic import PhotographicStage

__all__ = ["LessonStage"]

Rgb = UInt8[np.ndarray, "size size 3"]
TRIES, MIDDLE = 5, 0.14
"""Scenes drawn until a new object without a said place is no farther from the middle than this, as a fraction of the width."""


class LessonStage(PhotographicStage):
    """Sets up scenes that are to look like photographs, for a model that can learn only so many things.

    The same wish has one answer, not any: an object that an edit brings in is the largest cut-out of its class, so that a
    small model forms that one well instead of the mean of several. And things are seen from nearer by: at 128 pixels the
    network has one token for 16 x 16 of them.
    """

    distance = 0.6
    _usual = False

    def addition(self, rng: np.random.Generator, *, with_place: float) -> tuple[Scene, Place | None]:
        """Set up a scene whose last object is new, and name where it is if that is to be said and has a name."""
        with self._usual_looks():
            scene, place = super().addition(rng, with_place=with_place)
            for _ in range(TRIES):
                if place is not None or abs(scene.objects[-1].middle[0] / self.size - 0.5) < MIDDLE:
                    break
                scene, place = super().addition(rng, with_place=with_place)
            return scene, place

    def instead_of(self, background: Rgb, old: Placed, what: ObjectClass, rng: np.random.Generator) -> Placed:
        """Put an object of a class where another stands, of like size and on the same ground."""
        with self._usual_looks():
            return super().instead_of(background, old, what, rng)

    @contextmanager
    def _usual_looks(self) -> Iterator[None]:
        self._usual = True
        try:
            yield
        finally:
            self._usual = False

    def _looks_of(self, what: ObjectClass) -> list[Picture]:
        every = super()._looks_of(what)
        return [max(every, key=_size)] if self._usual else every


def _size(picture: Picture) -> tuple[int, str]:
    return picture.height * picture.width, picture.id
