"""What travels to a worker process and makes attempts there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from step1x_edit.data_engine.filters.chain import chain, judge
from step1x_edit.data_engine.filters.filter import Judged
from step1x_edit.data_engine.filters.held_out import HashList, HeldOut
from step1x_edit.data_engine.filters.thresholds import with_thresholds
from step1x_edit.data_engine.materials import Matcaps
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.run.attempt import AttemptMaker
from step1x_edit.data_engine.run.settings import RunSettings
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.experts.expert_set import ExpertName, ExpertSet
from step1x_edit.experts.parts.store import PartStore

__all__ = ["Hire", "fingerprint", "parts_at_hand"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hire:
    """Makes an :class:`AttemptMaker` where it is called."""

    pool: Path
    settings: RunSettings
    parts: Path | None = None
    """Folder of the experts' part files; the user's cache folder by default."""
    held_out: HashList | None = None
    """Pictures that must not come in, of which the settings hold the fingerprint."""

    def __call__(self) -> AttemptMaker:
        """Open the pool and set up stage and experts.

        Raises:
            DataError: The pool cannot be read, or has too little for a stage.
        """
        pool = self._pool()
        matcaps = Matcaps(PartStore(self.parts))
        return AttemptMaker(pool, self.settings, experts=EmbeddedExperts(self.parts), judge=self.judge, matcaps=matcaps)

    def judge(self, pair: EditPair, experts: ExpertSet) -> Judged:
        """Let the filters of the pair's task look at it; a picture is large enough if it has the size of the run."""
        filters = chain(pair.task, smallest_px=self.settings.size, held_out=self.held_out)
        return judge(pair, experts, filters=filters)

    def _pool(self) -> Pool:
        pool = Pool.open(self.pool)
        if self.settings.permissive_only:
            pool = pool.permissive()
        if self.settings.seen_objects and self.settings.split == "held_out":
            pool = pool.showing_seen_objects()
        if self.held_out is None:
            return pool
        return with_thresholds(HeldOut, HeldOut.name, self.settings.tasks[0].task, known=self.held_out).sifted(pool)


def fingerprint(pool: Pool) -> str:
    """Return what tells a pool from others: a hash of its pictures' hashes, splits and kinds, wherever it lies."""
    lines = sorted(f"{one.sha256} {one.kind} {one.split} {one.label}" for one in pool.pictures)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def parts_at_hand(parts: Path | None = None) -> tuple[str, ...]:
    """Return the experts that would answer, each with its part and version."""
    experts = EmbeddedExperts(parts)
    names: tuple[ExpertName, ...] = get_args(ExpertName)
    answering = {name: experts.part(name) for name in names if experts.available(name)}
    matcaps = Matcaps(PartStore(parts))
    spheres = (f"materials: {matcaps.PART} {matcaps.version}",) if matcaps.available else ()
    return (*(f"{name}: {one.part} {one.version}" for name, one in answering.items()), *spheres)
