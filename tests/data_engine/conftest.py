"""The drawn pool for all tests of the data engine."""

from __future__ import annotations

import pytest
from drawn_pool import drawn_pool

from step1x_edit.data_engine.pool import Pool


@pytest.fixture(scope="session")
def pool() -> Pool:
    """Three landscapes, a photographed car, and one figure for each of six classes."""
    return drawn_pool()
