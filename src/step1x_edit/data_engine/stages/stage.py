"""The stage: takes backgrounds and cut-outs from the pool and sets them up as scenes for the recipes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from step1x_edit.data_engine.believable import paintable_colours
from step1x_edit.data_engine.instructions import Colour, Place, colours, places
from step1x_edit.data_engine.materials import Matcaps
from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.objects import ObjectClass, object_class, object_classes
from step1x_edit.data_engine.pool import Picture, Pool, Split
from step1x_edit.data_engine.scene import Placed, Scene, in_the_light_of
from step1x_edit.data_engine.sceneries import Scenery
from step1x_edit.data_engine.stages.spots import blends_in, overlap, scaled, share_taken, window_around
from step1x_edit.errors import DataError
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.schema.tasks import EditTask

__all__ = ["Stage", "class_of"]

Rgb = UInt8[np.ndarray, "size size 3"]
Rgba = UInt8[np.ndarray, "rows columns 4"]
SIDES = {1: (0.36, 0.85), 2: (0.3, 0.5), 3: (0.26, 0.4)}
"""Long side of an object as a fraction of the picture's, by the number of objects."""
NEW_SIDES = (0.36, 0.46)
"""Long side of an object that an edit brings in: the same wish has one answer, not any."""
STUDIO = 0.12
"""How often a background is a plain, softly lit wall instead of a photograph."""
SUBJECT = ObjectClass(name="subject", zh="主体", measure="个", recolour=False)
"""What the subject of a photograph is called when it belongs to no class."""
MOST_TAKEN = 0.2
"""Share of the largest square that a subject may take when it is to be removed."""
TRIES, TRIES_ALONE = 12, 4
"""Spots drawn for an object beside others, and alone; the freest one, where it can be seen, is taken."""
CAMOUFLAGE = 0.4
"""Cost of a spot where an object cannot be told from what is behind it; full overlap with another object costs 1."""
UNSAID = Place(name="", en=(), zh=(), x=(0.4, 0.6), y=(0.5, 0.66))
"""Where an object goes when nothing is said: near the middle, so that the same wish has one answer, not any."""


class Stage:
    """Sets up scenes of one size from one split of the pool.

    Args:
        pool: Where pictures come from.
        size: Side of the square pictures, in pixels.
        split: Which part of the pool is used.
        experts: Models that recipes may ask; without them only composed scenes are made.
        matcaps: Spheres of materials; the part in the user's cache when not given.

    Raises:
        DataError: The split has neither photographs nor named cut-outs.
    """

    colours_apart = False
    """Whether a plain background must differ from the subject too, not only from the old background."""

    def __init__(
        self,
        pool: Pool,
        *,
        size: int,
        split: Split,
        experts: ExpertSet | None = None,
        matcaps: Matcaps | None = None,
    ) -> None:
        self.size = size
        self.experts = experts
        self.matcaps = matcaps or Matcaps()
        self._pool = pool
        self._photos = pool.photos(split)
        self._scenes = pool.photos(split, scenes_only=True)
        self._cutouts = pool.cutouts(split)
        self._subjects = pool.subjects(split)
        self._removable: list[Picture] | None = None
        self._photo_of = {one.id: one for one in self._photos}
        self.classes = [one for name, one in object_classes().items() if name in self._cutouts]
        if not self._photos and not self.classes:
            raise DataError(
                given=f"a pool whose split {split!r} has neither photographs nor named cut-outs",
                expected="some of either",
                remedy="Add pictures to the pool, or use the other split.",
            )

    @property
    def can_compose(self) -> bool:
        """Whether there are a scene and enough classes of objects; else only photographs as they are can be used."""
        return bool(self._scenes) and len(self.classes) >= len(SIDES)

    @property
    def tones(self) -> dict[str, float]:
        """Looks of tone transformation and how often each comes up."""
        return mixture().tones

    def colours_of(self, what: ObjectClass) -> list[Colour]:
        """Return the colours an object of a class may be given; none where its own cannot be changed."""
        return paintable_colours(what)

    def photo(self, rng: np.random.Generator) -> Rgb:
        """Return a random square of any photograph."""
        return self.photograph(rng).background

    def photograph(self, rng: np.random.Generator) -> Scene:
        """Return the same as a scene without objects, which knows its photograph."""
        if not self._photos:
            raise DataError(
                given="a pool without photographs", expected="one at least", remedy="Add photographs to the pool."
            )
        picture = self._photos[int(rng.integers(len(self._photos)))]
        return Scene(background=self._square(picture, rng), objects=(), source=picture.id)

    def background(self, rng: np.random.Generator) -> Rgb:
        """Return something to stand behind objects: a square of a photograph, or a softly lit wall."""
        return self.empty_scene(rng).background

    def empty_scene(self, rng: np.random.Generator) -> Scene:
        """Return the same as a scene without objects, which knows its photograph."""
        if rng.random() < STUDIO:
            return Scene(background=self._wall(rng), objects=())
        picture = self._scenes[int(rng.integers(len(self._scenes)))]
        return Scene(background=self._square(picture, rng), objects=(), source=picture.id)

    def scene(self, rng: np.random.Generator, *, count: int, place: Place | None = None) -> Scene:
        """Set up a scene of ``count`` objects of different classes.

        Args:
            rng: Makes all choices.
            count: How many objects, 1 to 3.
            place: Where the last object is put; anywhere when not given.

        Raises:
            DataError: The pool has too little to compose one, see :attr:`can_compose`.
        """
        self._needs_composing()
        empty = self.empty_scene(rng)
        chosen = rng.choice(len(self.classes), count, replace=False)
        objects: list[Placed] = []
        # The place that was asked for is taken first, and drawn last: nothing covers it.
        for number, index in enumerate(chosen):
            where = place if number == 0 else None
            what = self.classes[index]
            objects.append(self.put(empty.background, what, rng, count=count, place=where, beside=objects))
        return replace(empty, objects=tuple(reversed(objects)))

    def addition(self, rng: np.random.Generator, *, with_place: float) -> tuple[Scene, Place | None]:
        """Set up a scene whose last object is new, and say where it is.

        Args:
            rng: Makes all choices, the number of objects too.
            with_place: How often the place is to be said.

        Returns:
            The scene, and the new object's place if that is to be said.
        """
        known = list(places().values())
        place = known[int(rng.integers(len(known)))] if rng.random() < with_place else None
        count = mixture().object_count(EditTask.SUBJECT_ADDITION, rng)
        return self.scene(rng, count=count, place=place or UNSAID), place

    def substitute(self, scene: Scene, old: Placed, rng: np.random.Generator) -> Placed | None:
        """Put an object of a class that the scene does not show where one of its objects stands; None where none fits."""
        present = {one.what for one in scene.objects}
        absent = [what for what in self.classes if what not in present]
        return self.instead_of(scene.background, old, absent[int(rng.integers(len(absent)))], rng)

    def elsewhere(self, scene: Scene, rng: np.random.Generator) -> tuple[Scene, Scenery] | None:  # noqa: ARG002
        """Return the objects of a scene in another scenery; None on a stage that knows no sceneries."""
        return None

    def photographed_subject(self, rng: np.random.Generator, *, recolourable: bool = False) -> Scene | None:
        """Return a photograph as a scene of one object: its own subject, at its own place, with its own shadow.

        Args:
            rng: Makes all choices.
            recolourable: Only subjects of a class whose colour may be changed.

        Returns:
            The scene, or None when the split has no such photograph.
        """
        able = [one for one in self._subjects if not recolourable or (one.label and self.colours_of(class_of(one)))]
        if not able:
            return None
        return self._photograph(able[int(rng.integers(len(able)))], rng)

    def removable_subject(self, rng: np.random.Generator, *, replaceable: bool = False) -> Scene | None:
        """Return a photograph, shown as whole as a square allows, whose named subject leaves most of it free.

        Args:
            rng: Makes all choices.
            replaceable: Only subjects for which something like them can come.

        Returns:
            The scene of one object, or None when the split has no such photograph.
        """
        if self._removable is None:
            named = [one for one in self._subjects if one.label]
            self._removable = [one for one in named if share_taken(self._pool.image(one)) < MOST_TAKEN]
        able = [one for one in self._removable if not replaceable or self.can_replace(class_of(one))]
        if not able:
            return None
        return self._photograph(able[int(rng.integers(len(able)))], rng, at_least=0.92)

    def _needs_composing(self) -> None:
        if not self.can_compose:
            raise DataError(
                given=f"a pool with {len(self._scenes)} scenes and cut-outs of {len(self.classes)} classes of objects",
                expected=f"a scene and {len(SIDES)} classes at least, to put objects into a scene",
                remedy="Add photographs of places and of whole objects, such as the starter pool's.",
            )

    def can_replace(self, what: ObjectClass) -> bool:  # noqa: ARG002
        """Tell whether something can come instead of an object; here anything can."""
        return True

    def _photograph(self, picture: Picture, rng: np.random.Generator, *, at_least: float = 0.8) -> Scene:
        """Return a square of a photograph around its subject as a scene of one object."""
        rgba = self._pool.image(picture)
        window = window_around(rgba[..., 3], rng, at_least=at_least)
        rgba, photo = (self._resized(pixels[window]) for pixels in (rgba, self._pool.image(self._photo_of[picture.id])))
        subject = Placed(
            what=class_of(picture),
            colour=rgba[..., :3].astype(np.float32),
            alpha=rgba[..., 3:].astype(np.float32) / 255,
            top=0,
            left=0,
            shadow=0.0,
            source=picture.id,
        )
        return Scene(background=photo, objects=(subject,), source=picture.id)

    def put(
        self,
        background: Rgb,
        what: ObjectClass,
        rng: np.random.Generator,
        *,
        count: int = 1,
        place: Place | None = None,
        beside: list[Placed] | tuple[Placed, ...] = (),
    ) -> Placed:
        """Put an object of a class into a picture, away from those that are there; a place asks for its usual look."""
        side = self.size * rng.uniform(*(NEW_SIDES if place else SIDES[count]))
        rgba, source = self._usual_cutout(what, side) if place else self._cutout(what, side, rng)
        rows, columns = rgba.shape[:2]
        spots = [self._spot(rows, columns, what, place, rng) for _ in range(TRIES if beside else TRIES_ALONE)]

        def cost(spot: tuple[int, int]) -> float:
            covered = sum(overlap(spot, (rows, columns), other) for other in beside)
            return covered + CAMOUFLAGE * blends_in(rgba, background, spot)

        top, left = min(spots, key=cost)
        return replace(self._settled(background, rgba, what, top=top, left=left, rng=rng), source=source)

    def instead_of(self, background: Rgb, old: Placed, what: ObjectClass, rng: np.random.Generator) -> Placed:
        """Put an object of a class where another stands, of like size and on the same ground."""
        rows, columns = old.alpha.shape[:2]
        rgba, source = self._usual_cutout(what, max(rows, columns) * rng.uniform(0.9, 1.1))
        top = old.top + rows - rgba.shape[0] if not old.what.floats else round(old.middle[1] - rgba.shape[0] / 2)
        left = round(old.middle[0] - rgba.shape[1] / 2)
        top, left = (max(0, min(at, self.size - extent)) for at, extent in zip((top, left), rgba.shape, strict=False))
        placed = replace(self._settled(background, rgba, what, top=top, left=left, rng=rng), source=source)
        return placed if what.floats else replace(placed, shadow=old.shadow or placed.shadow)

    def _square(self, picture: Picture, rng: np.random.Generator) -> Rgb:
        pixels = self._pool.image(picture)
        short = min(pixels.shape[:2])
        # A crop keeps at least the training size, so that 256 px pictures are not enlarged more than needed.
        side = int(short * rng.uniform(max(0.6, min(1.0, self.size / short)), 1.0))
        top, left = (int(rng.integers(extent - side + 1)) for extent in pixels.shape[:2])
        return self._resized(pixels[top : top + side, left : left + side])

    def _resized(self, square: UInt8[np.ndarray, "side side channels"]) -> UInt8[np.ndarray, "size size channels"]:
        picture = Image.fromarray(np.ascontiguousarray(square))
        return np.asarray(picture.resize((self.size, self.size), Image.Resampling.BICUBIC, reducing_gap=2.0))

    def _wall(self, rng: np.random.Generator) -> Rgb:
        names = list(colours().values())
        base = np.array(names[int(rng.integers(len(names)))].rgb, dtype=np.float32)
        base += rng.uniform(0, 0.7) * (base.mean() - base) + rng.uniform(-25, 25)
        across, down = rng.uniform(-0.25, 0.25, 2)
        ramp = np.linspace(-0.5, 0.5, self.size, dtype=np.float32)
        light = 1 + down * ramp[:, None, None] + across * ramp[None, :, None]
        grain = rng.normal(0, rng.uniform(0, 2), (self.size, self.size, 1))
        return np.clip(base * light + grain, 0, 255).astype(np.uint8)

    def _cutout(self, what: ObjectClass, side: float, rng: np.random.Generator) -> tuple[Rgba, str]:
        choices = self._cutouts[what.name]
        chosen = choices[int(rng.integers(len(choices)))]
        rgba = Image.fromarray(np.ascontiguousarray(self._pool.image(chosen)))
        if rng.random() < 0.5:
            rgba = rgba.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return scaled(rgba, side), chosen.id

    def _usual_cutout(self, what: ObjectClass, side: float) -> tuple[Rgba, str]:
        """Return the largest cut-out of a class: what an edit brings in looks the same every time."""
        largest = max(self._cutouts[what.name], key=lambda one: (one.height * one.width, one.id))
        return scaled(Image.fromarray(np.ascontiguousarray(self._pool.image(largest))), side), largest.id

    def _spot(
        self, rows: int, columns: int, what: ObjectClass, place: Place | None, rng: np.random.Generator
    ) -> tuple[int, int]:
        """Draw where the top left corner of an object goes; the whole object stays in the picture."""
        x, y = (place.x, place.y) if place else ((0.15, 0.85), (0.25, 0.6) if what.floats else (0.4, 0.8))
        top = round(rng.uniform(*y) * self.size - rows / 2)
        left = round(rng.uniform(*x) * self.size - columns / 2)
        return max(0, min(top, self.size - rows)), max(0, min(left, self.size - columns))

    def _settled(
        self,
        background: Rgb,
        rgba: UInt8[np.ndarray, "rows columns 4"],
        what: ObjectClass,
        *,
        top: int,
        left: int,
        rng: np.random.Generator,
    ) -> Placed:
        alpha: Float32[np.ndarray, "rows columns 1"] = rgba[..., 3:].astype(np.float32) / 255
        behind = background[top : top + rgba.shape[0], left : left + rgba.shape[1]]
        colour = in_the_light_of(behind, rgba[..., :3].astype(np.float32), alpha, exposure=rng.uniform(0.88, 1.1))
        shadow = 0.0 if what.floats else float(rng.uniform(0.25, 0.55))
        return Placed(what=what, colour=colour, alpha=alpha, top=top, left=left, shadow=shadow)


def class_of(picture: Picture) -> ObjectClass:
    """Return what a cut-out or the subject of a photograph is."""
    return object_class(picture.label, picture.label_zh) if picture.label else SUBJECT
