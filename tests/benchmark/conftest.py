"""A small suite of drawn cases, written and read through the store."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_cases import drawn_cases

from step1x_edit.benchmark.suites import Suite, open_suite
from step1x_edit.store import Shard, encode_triplet, write_shard


@pytest.fixture(scope="session")
def suite_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite") / "drawn"
    cases = [encode_triplet(one.record, reference=one.reference, target=one.target) for one in drawn_cases()]
    shard = Shard(
        number=0, first_attempt=0, attempts=len(cases), split="held_out", triplets=tuple(cases), rejections=()
    )
    write_shard(folder, shard)
    return folder


@pytest.fixture(scope="session")
def suite(suite_folder: Path) -> Suite:
    return open_suite(str(suite_folder))
