"""Rejections of attempts that told nothing of their pictures before they ended."""

from __future__ import annotations

import hashlib

from step1x_edit import __version__
from step1x_edit.data_engine.run.settings import RunSettings
from step1x_edit.schema.triplet import Provenance, Rejection

__all__ = ["attempt_uid", "lost", "short_hash"]

UID_DIGITS = 32


def lost(settings: RunSettings, attempt: int, *, stage: str, reason: str, retry: bool = False) -> Rejection:
    """Return the rejection of an attempt that told nothing of its pictures before it ended."""
    task = settings.task(attempt)
    return Rejection(
        uid=attempt_uid(settings, attempt),
        task=task,
        stage=stage,
        reason=reason,
        provenance=Provenance(
            sources=(),
            licences=(),
            permissive=False,
            recipe=task.value,
            pipeline_version=__version__,
            seed=settings.seed,
            attempt=attempt,
        ),
        retry=retry,
    )


def attempt_uid(settings: RunSettings, attempt: int) -> str:
    """Return the uid of an attempt that gave no triplet."""
    return short_hash(settings.model_dump_json(), str(attempt))


def short_hash(*parts: str) -> str:
    """Return the first 32 digits of the SHA-256 over some texts, a line each."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:UID_DIGITS]
