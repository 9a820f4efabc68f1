"""A rejected attempt made again, so that a person can see what was rejected: a store keeps only why.

An attempt follows from pool, parts, settings and its number; with the same of each it gives the same pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from pydantic import ValidationError

from step1x_edit import __version__
from step1x_edit.data_engine.pair import Refusal
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.run.attempt import AttemptMaker
from step1x_edit.data_engine.run.hire import Hire, fingerprint, parts_at_hand
from step1x_edit.data_engine.run.settings import RunSettings
from step1x_edit.data_engine.sources.pixels import over_grey
from step1x_edit.errors import RequestError, Step1XEditError
from step1x_edit.schema.triplet import Rejection
from step1x_edit.store import Manifest

__all__ = ["Remade", "Remaker", "remaker"]

UNMADE = {"time", "memory", "death", "error"}
"""Stages whose attempts had no end of their own, and would have none again."""
SOURCES_SHOWN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Remade:
    """What there is to see of a rejected attempt."""

    pictures: tuple[UInt8[np.ndarray, "_ _ 3"], ...]
    """Reference image and target; or the source pictures, where the recipe made nothing of them."""
    mask: Bool[np.ndarray, "height width"] | None = None
    """Where the two may differ."""


class Remaker:
    """Makes the rejected attempts of one store again.

    Args:
        maker: Makes attempts as the store's build did.
        folder: Folder of the pool it was built from.
    """

    def __init__(self, maker: AttemptMaker, folder: Path) -> None:
        self.folder = folder
        self.pool = Pool.open(folder)
        self._maker = maker

    def remade(self, rejection: Rejection) -> Remade | None:
        """Return the pictures of a rejected attempt; None where there are none, or others than the record names."""
        if rejection.stage in UNMADE or not rejection.provenance.sources:
            return None
        try:
            made = self._maker.pair(rejection.provenance.attempt)
        except Step1XEditError:
            return None
        if tuple(dict.fromkeys(made.sources)) != rejection.provenance.sources:
            return None
        if isinstance(made, Refusal):
            return Remade(pictures=self._sources(rejection.provenance.sources[:SOURCES_SHOWN]))
        return Remade(pictures=(made.reference, made.target), mask=made.changed)

    def _sources(self, ids: tuple[str, ...]) -> tuple[UInt8[np.ndarray, "_ _ 3"], ...]:
        first = {one.id: one for one in reversed(self.pool.pictures)}
        return tuple(over_grey(self.pool.image(first[one])) for one in ids)


def remaker(manifest: Manifest, pool: Path, *, parts: Path | None = None) -> Remaker:
    """Return what makes a store's rejected attempts again.

    Args:
        manifest: Of the store.
        pool: Folder of the pool it was built from.
        parts: Folder of the experts' part files; the user's cache folder by default.

    Raises:
        DataError: There is no pool.
        RequestError: The store was built from another pool, with other parts or by another version.
    """
    told = {name: value for name, value in manifest.settings.items() if name in RunSettings.model_fields}
    try:
        settings = RunSettings.model_validate(told)
    except ValidationError:
        settings = None
    same = settings and {
        "pool": settings.sources == fingerprint(Pool.open(pool)),
        "experts' parts": settings.experts == parts_at_hand(parts),
        "version": manifest.pipeline_version == __version__,
    }
    if not settings or not same or not all(same.values()):
        differing = ", ".join(name for name, equal in (same or {"settings": False}).items() if not equal)
        raise RequestError(
            given=f"the pool {pool} and a store that was built otherwise (another {differing})",
            expected="what the store was built with, to make its rejected attempts again",
            remedy="Name that pool with --pool, or leave the rejected attempts in words.",
        )
    return Remaker(Hire(pool=pool, settings=settings, parts=parts)(), pool)
