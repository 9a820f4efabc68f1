"""What all rooms share: one thread, tiny pipelines of every release, and the vectors made with the released code."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import vector_weights
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from tiny import tiny_pipeline
from torch import Tensor

from step1x_edit.models.checkpoint import load_transformer, load_vae
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.pipeline.step1x_edit import Step1XEditPipeline

VECTORS = Path(__file__).parent / "vectors"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Toy sizes are slower on several threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], Step1XEditPipeline]:
    """The tiny pipeline of a release, shared: leave it as it was found."""
    return cache(tiny_pipeline)


@pytest.fixture(scope="session")
def vector() -> Callable[[str], Any]:
    """A file of ``tests/vectors``: tensors by name, or JSON."""

    @cache
    def read(name: str) -> Any:
        path = VECTORS / name
        return json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else load_file(path)

    return read


@pytest.fixture(scope="session")
def vector_transformer(tmp_path_factory) -> Callable[..., Step1XEditTransformer2DModel]:
    """The vectors' transformer of a release, through the loader of published files."""
    draws: dict[str, Callable[..., dict[str, Tensor]]] = {
        "v1.0": vector_weights.official_tiny,
        "v1.1": vector_weights.fork_v1p1,
        "v1.2": vector_weights.fork_v1p2,
    }

    @cache
    def load(release: str, **options: bool) -> Step1XEditTransformer2DModel:
        path = tmp_path_factory.mktemp("weights") / "transformer.safetensors"
        save_file(draws[release](**options), path)
        return load_transformer(path, release=release, config=vector_weights.TINY)

    return load


@pytest.fixture(scope="session")
def vector_vae(tmp_path_factory) -> AutoencoderKL:
    """The vectors' VAE in fp32, through the loader of published files."""
    path = tmp_path_factory.mktemp("vae") / "vae.safetensors"
    save_file(vector_weights.vae_official_tiny(), path)
    return load_vae(path, config=vector_weights.TINY_VAE, dtype=torch.float32)
