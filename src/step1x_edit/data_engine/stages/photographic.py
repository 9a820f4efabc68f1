"""The stage for data that people look at: photographic cut-outs put where they belong, as if photographed there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from step1x_edit.data_engine.believable import believable_colours
from step1x_edit.data_engine.compositing.backdrop import backdrop_like, carried_over
from step1x_edit.data_engine.compositing.edges import clean_edges
from step1x_edit.data_engine.compositing.habitats import Habitat, KnownScene, Surface, habitats, is_fit, known_scenes
from step1x_edit.data_engine.compositing.light import lit_side
from step1x_edit.data_engine.compositing.settling import Surround, settled, surround_of
from step1x_edit.data_engine.compositing.studio import FLOOR, studio
from step1x_edit.data_engine.instructions import Colour, Place
from step1x_edit.data_engine.materials import Matcaps
from step1x_edit.data_engine.mixture import draw, mixture
from step1x_edit.data_engine.objects import ObjectClass, object_class
from step1x_edit.data_engine.pool import Picture, Pool, Split
from step1x_edit.data_engine.scene import Placed, Scene
from step1x_edit.data_engine.sceneries import Scenery, sceneries
from step1x_edit.data_engine.stages.spots import fitted, overlap, side_of
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.stages.standing import Ground, bears, seen_ground, unknown_ground
from step1x_edit.errors import DataError
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.masks import largest_region
from step1x_edit.schema.tasks import EditTask

__all__ = ["PhotographicStage"]

Rgb = UInt8[np.ndarray, "size size 3"]
Rgba = UInt8[np.ndarray, "rows columns 4"]
STUDIO = 0.3
"""How often the scene is a studio table: the only place for most food and things."""
MOST_GAIN = 1.35
"""A cut-out is not enlarged beyond this; it would be softer than any photograph around it."""
SMALLEST = 0.14
"""Long side below which an object is not worth a wish, as a fraction of the picture's side."""
FAR = 0.6
"""Size of an object at the far end of the ground relative to its near end."""
ROOMS = 400
"""Scenes tried before a pool is said to have no place for its objects."""
SPOTS = 24
"""Spots tried for an object."""
MOST_COVERED = 0.25
"""Share of the smaller of two boxes that may be shared: objects may touch, not hide each other."""
WINDOWS = 12
"""Windows tried for one that shows ground."""
ELSEWHERE, ELSEWHERE_TRIES = 0.7, 40
"""How often the new background is a scenery, and how many windows are tried for one."""
MOST_UNSURE, ONE_PIECE = 0.3, 0.9
"""Share of a subject's pixels whose matte may be unsure, and share that its largest piece must hold."""
CUT_OFF = 0.3
"""Share of a cut-out's border that only a picture's border cuts so straight; below, feet are allowed more."""
LIKE_SIZE = 1.5
"""Ratio of usual sizes up to which a thing of another habitat can come instead: no frog as large as an elephant."""
PERCHES = frozenset({"bird", "owl"})
"""Photographed on a branch or in the air more often than on the ground."""


class PhotographicStage(Stage):
    """Sets up scenes that are to look like photographs.

    Where the plain stage puts any object anywhere, here land animals and vehicles stand on ground, food and things on
    a table, fish swim and balloons fly, each at a size that is believed, in the light, sharpness and grain of the place.

    Args:
        pool: Where pictures come from.
        size: Side of the square pictures, in pixels.
        split: Which part of the pool is used.
        experts: Models that recipes may ask; without them only composed scenes are made.
        matcaps: Spheres of materials; the part in the user's cache when not given.

    Raises:
        DataError: The split has neither photographs nor named cut-outs.
    """

    colours_apart = True
    distance = 1.0
    """Power to which an object's share of the picture's side is raised; below 1, small things are seen from nearer by."""

    def __init__(
        self,
        pool: Pool,
        *,
        size: int,
        split: Split,
        experts: ExpertSet | None = None,
        matcaps: Matcaps | None = None,
    ) -> None:
        super().__init__(pool, size=size, split=split, experts=experts, matcaps=matcaps)
        self._photographed = frozenset(one.id for one in pool.pictures if one.kind == "photo")
        self._fit = {
            name: fit
            for name, cutouts in self._cutouts.items()
            if (fit := [one for one in cutouts if is_fit(one) and self._is_whole(one)])
        }
        self._habitats = {
            one.name: (one, sorted(one.objects & set(self._fit))) for one in habitats() if one.objects & set(self._fit)
        }
        self._clean: dict[str, Rgba] = {}
        self._on: dict[Surface, list[Picture]] = {"land": [], "table": [], "sky": [], "water": []}
        for picture in self._scenes:
            known = known_scenes().get(picture.id)
            if known is None:
                self._on["land"].append(picture)
            elif known.surface is not None:
                self._on[known.surface].append(picture)
        self._subjects = [one for one in self._subjects if is_fit(one) and _is_sure(pool.image(one))]
        self._named = [one for one in self._photos if one.id in known_scenes() and known_scenes()[one.id].scenery]

    @property
    def can_compose(self) -> bool:
        """Whether there are a scene and objects that have a habitat; else only photographs as they are can be used."""
        return super().can_compose and bool(self._habitats)

    def colours_of(self, what: ObjectClass) -> list[Colour]:
        """Return the colours in which a photograph of an object of a class is believed."""
        return believable_colours(what)

    @property
    def tones(self) -> dict[str, float]:
        """Looks of tone transformation and how often each comes up."""
        return {**mixture().tones, **mixture().more_tones}

    def scene(self, rng: np.random.Generator, *, count: int, place: Place | None = None) -> Scene:  # noqa: ARG002
        """Set up a scene of up to ``count`` objects of one habitat, back to front; the last one is covered by nothing.

        Args:
            rng: Makes all choices.
            count: How many objects at most; fewer where there is no room.
            place: Not used: objects go where they can be. :meth:`addition` names the place afterwards.

        Raises:
            DataError: The pool has too little to compose one, or its photographs have no place for its cut-outs.
        """
        self._needs_composing()
        for _ in range(ROOMS):
            # Habitats of many classes come up more often, but not in proportion: there are few kinds of vehicle.
            weights = {name: len(classes) ** 0.5 for name, (_, classes) in self._habitats.items()}
            habitat, classes = self._habitats[draw(weights, rng)]
            found = self._room_for(habitat, rng)
            if found is None:
                continue
            empty, ground = found
            objects = self._placed(empty.background, ground, habitat, classes, count, rng)
            if objects:
                return replace(empty, objects=tuple(sorted(objects, key=_feet)))
        raise DataError(
            given=f"a pool without a place for {', '.join(self._habitats)} ({ROOMS} tried)",
            expected="photographs with land, sky or water for the cut-outs it has",
            remedy="Add photographs of landscapes to the pool.",
        )

    def addition(self, rng: np.random.Generator, *, with_place: float) -> tuple[Scene, Place | None]:
        """Set up a scene whose last object is new, and name where it is if that is to be said and has a name."""
        scene = self.scene(rng, count=mixture().object_count(EditTask.SUBJECT_ADDITION, rng))
        said = rng.random() < with_place
        return scene, side_of(scene.objects[-1].middle[0] / self.size) if said else None

    def substitute(self, scene: Scene, old: Placed, rng: np.random.Generator) -> Placed | None:
        """Put another object of the same habitat where one stands, or at least one of the same surface, if there is one."""
        present = {one.what.name for one in scene.objects} | {old.what.name}
        habitat = self._habitat_of(old.what.name)
        able = [name for name in self._habitats[habitat.name][1] if name not in present] if habitat else []
        if not able:
            able = sorted(
                {name for one, names in self._habitats.values() if _akin(one, habitat) for name in names} - present
            )
        if not able:
            return None
        name = able[int(rng.integers(len(able)))]
        return self.instead_of(scene.background, old, object_class(name), rng)

    def instead_of(self, background: Rgb, old: Placed, what: ObjectClass, rng: np.random.Generator) -> Placed:
        """Put an object of a class where another stands, of like size and on the same ground."""
        seen = np.flatnonzero(old.alpha[..., 0].max(axis=1) > 0.3), np.flatnonzero(old.alpha[..., 0].max(axis=0) > 0.3)
        (first, last), (start, end) = ((int(one[0]), int(one[-1])) for one in seen)
        side = min(self.size, max(last - first, end - start) * rng.uniform(0.9, 1.1))
        surround = surround_of(background)
        rgba, source = self._cutout_for(object_class(what.name), side, surround, rng)
        floats = old.what.floats or what.floats
        middle = old.top + (first + last) / 2
        top = round(middle - rgba.shape[0] / 2) if floats else old.top + last + 1 - rgba.shape[0]
        left = round(old.left + (start + end) / 2 - rgba.shape[1] / 2)
        top, left = (max(0, min(at, self.size - extent)) for at, extent in zip((top, left), rgba.shape, strict=False))
        return settled(surround, rgba, what, top=top, left=left, stands=not floats, rng=rng, source=source)

    def can_replace(self, what: ObjectClass) -> bool:
        """Tell whether another object of the same habitat, with feet on the ground, can come instead."""
        habitat = self._habitat_of(what.name)
        return habitat is not None and habitat.on in ("land", "table") and what.name not in PERCHES

    def _is_whole(self, cutout: Picture) -> bool:
        """Tell whether a cut-out was not cut off by the border of the photograph it comes from."""
        if cutout.id not in self._photographed:
            return True
        inside = self._pool.image(cutout)[..., 3] > 127
        borders = inside[0].mean(), inside[:, 0].mean(), inside[:, -1].mean(), inside[-1].mean() - 0.25
        return bool(max(borders) < CUT_OFF)

    def _room_for(self, habitat: Habitat, rng: np.random.Generator) -> tuple[Scene, Ground] | None:
        if habitat.on == "table" and (not self._on["table"] or rng.random() < 0.75):
            return Scene(background=studio(self.size, rng), objects=()), Ground(surface="table", box=FLOOR)
        if habitat.on == "land" and rng.random() < 0.08:
            return Scene(background=studio(self.size, rng), objects=()), Ground(surface="land", box=FLOOR)
        choices = self._on[habitat.on]
        if not choices:
            return None
        picture = choices[int(rng.integers(len(choices)))]
        pixels, known = self._pool.image(picture), known_scenes().get(picture.id)
        for _ in range(WINDOWS):
            window = self._window(pixels.shape, known, rng)
            ground = seen_ground(known, window, pixels.shape) if known else None
            if known and ground is None:
                continue
            background = self._resized(pixels[window])
            ground = ground or unknown_ground(background)
            return None if ground is None else (Scene(background=background, objects=(), source=picture.id), ground)
        return None

    def _window(
        self, shape: tuple[int, ...], known: KnownScene | None, rng: np.random.Generator
    ) -> tuple[slice, slice]:
        short = min(shape[:2])
        side = int(short * rng.uniform(max(0.7, min(1.0, self.size / short)), 1.0))
        top, left = (int(rng.integers(extent - side + 1)) for extent in shape[:2])
        if known is None or known.surface in ("land", "table"):
            # Ground is below: the window keeps the picture's lower edge.
            top = shape[0] - side
        return slice(top, top + side), slice(left, left + side)

    def _placed(
        self,
        background: Rgb,
        ground: Ground,
        habitat: Habitat,
        classes: Sequence[str],
        count: int,
        rng: np.random.Generator,
    ) -> list[Placed]:
        surround = surround_of(background)
        objects: list[Placed] = []
        for name in (classes[int(index)] for index in rng.permutation(len(classes))[:count]):
            scale = 1.0 if count == 1 else 0.8
            placed = self._put_on(surround, ground, habitat, name, scale, objects, rng)
            if placed is not None:
                objects.append(placed)
        return objects

    def _put_on(
        self,
        surround: Surround,
        ground: Ground,
        habitat: Habitat,
        name: str,
        scale: float,
        beside: Sequence[Placed],
        rng: np.random.Generator,
    ) -> Placed | None:
        what = object_class(name)
        nearest = self.size * rng.uniform(*habitat.sides) ** self.distance * scale
        rgba, source = self._cutout_for(what, nearest, surround, rng)
        left, top, right, bottom = ground.box
        for _ in range(SPOTS):
            nearer = bottom - habitat.near * (bottom - top)
            x, y = rng.uniform(left, right) * self.size, rng.uniform(nearer, bottom) * self.size
            depth = 1 - (y / self.size - top) / max(bottom - top, 0.05) if habitat.on == "land" else 0.0
            factor = 1 - (1 - FAR) * min(1.0, max(0.0, depth)) * min(1.0, (bottom - top) / 0.25)
            rows, columns = (max(4, round(extent * factor)) for extent in rgba.shape[:2])
            row = round(y - (rows if habitat.on in ("land", "table") else rows / 2))
            column = round(x - columns / 2)
            inside = (
                row >= 0.02 * self.size and column >= 0 and row + rows <= self.size and column + columns <= self.size
            )
            if not inside or max(rows, columns) < SMALLEST * self.size:
                continue
            if any(overlap((row, column), (rows, columns), other) > MOST_COVERED for other in beside):
                continue
            stands = habitat.on in ("land", "table")
            sized = fitted(rgba, (rows, columns))
            return settled(surround, sized, what, top=row, left=column, stands=stands, rng=rng, source=source)
        return None

    def _cutout_for(
        self, what: ObjectClass, side: float, surround: Surround, rng: np.random.Generator
    ) -> tuple[Rgba, str]:
        """Draw a cut-out of a class that is large enough, with clean edges, turned to the light."""
        choices = self._looks_of(what)
        large = [one for one in choices if max(one.width, one.height) * MOST_GAIN >= side] or sorted(
            choices, key=lambda one: -max(one.width, one.height)
        )[:1]
        chosen = large[int(rng.integers(len(large)))]
        if chosen.id not in self._clean:
            self._clean[chosen.id] = clean_edges(self._pool.image(chosen))
        rgba = self._clean[chosen.id]
        scale = min(side / max(rgba.shape[:2]), MOST_GAIN)
        sized = fitted(rgba, (max(4, round(rgba.shape[0] * scale)), max(4, round(rgba.shape[1] * scale))))
        own = lit_side(sized[..., :3].astype(np.float32), sized[..., 3:].astype(np.float32) / 255)
        turned = own * surround.light.side < 0 or (own == 0 and rng.random() < 0.5)
        return (np.ascontiguousarray(sized[:, ::-1]) if turned else sized), chosen.id

    def _looks_of(self, what: ObjectClass) -> list[Picture]:
        return self._fit.get(what.name) or self._cutouts[what.name]

    def elsewhere(self, scene: Scene, rng: np.random.Generator) -> tuple[Scene, Scenery] | None:
        """Return the objects of a scene in another scenery, where there is one that has ground under all their feet."""
        if not self._named or rng.random() >= ELSEWHERE:
            return None
        standing = [feet for one in scene.objects if self._walks(one) and (feet := self._feet_of(one)) is not None]
        if len(standing) < len(scene.objects):
            return None
        present = known_scenes().get(scene.source)
        for _ in range(ELSEWHERE_TRIES):
            picture = self._named[int(rng.integers(len(self._named)))]
            known = known_scenes()[picture.id]
            if present is not None and known.scenery == present.scenery:
                continue
            pixels = self._pool.image(picture)
            window = self._window(pixels.shape, known, rng)
            if not bears(known, window, pixels.shape, standing):
                continue
            backdrop = backdrop_like(self._resized(pixels[window]), scene.background, rng=rng)
            objects = tuple(carried_over(one, backdrop, rng=rng) for one in scene.objects)
            return Scene(background=backdrop, objects=objects, source=picture.id), sceneries()[known.scenery]
        return None

    def _feet_of(self, one: Placed) -> tuple[float, float, float] | None:
        """Return where an object stands: left and right of its foot, and its lowest row, in fractions; None if cut off."""
        seen = one.alpha[..., 0] > 0.5
        rows = np.flatnonzero(seen.any(axis=1))
        if not len(rows) or one.top + rows[-1] >= self.size - 2:
            return None
        low = np.flatnonzero(seen[max(0, rows[-1] - max(2, len(rows) // 12)) : rows[-1] + 1].any(axis=0))
        return (one.left + low[0]) / self.size, (one.left + low[-1]) / self.size, (one.top + rows[-1]) / self.size

    def _walks(self, one: Placed) -> bool:
        habitat = self._habitat_of(one.what.name)
        return habitat is not None and habitat.on == "land" and one.what.name not in PERCHES

    def _habitat_of(self, name: str) -> Habitat | None:
        return next((one for one, _ in self._habitats.values() if name in one.objects | one.seen), None)


def _akin(one: Habitat, other: Habitat | None) -> bool:
    """Tell whether things of one habitat are found where those of another are, and are of like size."""
    if other is None:
        return one.on == "land"
    ratio = sum(one.sides) / sum(other.sides)
    return one.on == other.on and 1 / LIKE_SIZE < ratio < LIKE_SIZE


def _feet(one: Placed) -> int:
    return one.top + one.alpha.shape[0]


def _is_sure(rgba: Rgba) -> bool:
    """Tell whether a matte is in or out nearly everywhere and in one piece."""
    matte = rgba[::2, ::2, 3]
    inside = matte > 127
    unsure = ((matte > 25) & (matte < 230)).sum() / max(1, inside.sum())
    return bool(unsure < MOST_UNSURE and largest_region(inside) > ONE_PIECE * inside.sum())
