"""``from_single_file`` is a second door to the checkpoint room."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file
from vector_weights import TINY, official_tiny

from step1x_edit import Step1XEditTransformer2DModel
from step1x_edit.errors import CheckpointError
from step1x_edit.models.checkpoint import load_transformer


def test_from_single_file_gives_what_load_transformer_gives(tmp_path: Path) -> None:
    path = tmp_path / "official.safetensors"
    save_file(official_tiny(), path)
    through_class = Step1XEditTransformer2DModel.from_single_file(path, release="v1.0", config=TINY)
    directly = load_transformer(path, release="v1.0", config=TINY)
    for name, value in directly.state_dict().items():
        assert value.equal(through_class.state_dict()[name]), name


def test_from_single_file_refuses_the_wrong_release(tmp_path: Path) -> None:
    path = tmp_path / "official.safetensors"
    save_file(official_tiny(), path)
    with pytest.raises(CheckpointError):
        Step1XEditTransformer2DModel.from_single_file(path, release="v1.1", config=TINY)
