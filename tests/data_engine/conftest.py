"""The drawn pool for all tests of the data engine."""

from __future__ import annotations

import pytest
from drawn_pool import CLASSES, figure, hills, pool_of, portrait

from step1x_edit.data_engine.pool import Pool


@pytest.fixture(scope="session")
def pool() -> Pool:
    """Three landscapes, a photographed car, and one figure for each of six classes."""
    photos = [(hills(number), "photo", None, "train") for number in range(3)]
    cutouts = [(figure(number), "cutout", name, "train") for number, name in enumerate(CLASSES)]
    photo, subject = portrait(CLASSES.index("car"))
    photographed = [(photo, "photo", None, "train"), (subject, "subject", "car", "train")]
    return pool_of([*photos, *photographed, *cutouts])
