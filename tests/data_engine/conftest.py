"""The drawn pool for all tests of the data engine."""

from __future__ import annotations

import pytest
from drawn_pool import CLASSES, figure, hills, pool_of

from step1x_edit.data_engine.pool import Pool


@pytest.fixture(scope="session")
def pool() -> Pool:
    """Three landscapes and one figure for each of six classes."""
    photos = [(hills(number), "photo", None, "train") for number in range(3)]
    cutouts = [(figure(number), "cutout", name, "train") for number, name in enumerate(CLASSES)]
    return pool_of([*photos, *cutouts])
