"""Tests on real parts skip themselves where a part is absent."""

import pytest

from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.experts.expert_set import ExpertName


def skip_without(experts: EmbeddedExperts, name: ExpertName) -> None:
    if not experts.available(name):
        pytest.skip(f"the part of `{name}` is not on this machine (step1x data setup {name})")
