"""Frozen weights in few bits: what they take, how far the velocity moves, and that adapters on them learn."""

import importlib.util

import pytest
import torch
import vector_weights
from safetensors.torch import save_file
from vector_weights import TINY

from step1x_edit.errors import MissingExtra
from step1x_edit.models.checkpoint import attach_adapters, load_transformer
from step1x_edit.training.config import LoraConfig, OptimizerConfig
from step1x_edit.training.exports import export_adapter
from step1x_edit.training.methods.bases import store_base, stored_bytes
from step1x_edit.training.methods.lora import add_adapters
from step1x_edit.training.methods.optimizers import build_optimizers
from step1x_edit.training.methods.packages import training_package

LIBRARIES = {"fp8": "torchao", "int8": "torchao", "nf4": "bitsandbytes"}
ERRORS = {"fp32": 0.0, "bf16": 0.02, "int8": 0.02, "fp8": 0.06, "nf4": 0.2}
"""Largest relative error of the velocity, weights in this form and everything else in fp32 (bf16: everything in bf16).
Measured: bf16 0.010, int8 0.011, fp8 0.047, nf4 0.168; these weights are drawn large, so that every block counts."""
BITS = {"fp32": 32, "bf16": 16, "int8": 8, "fp8": 8, "nf4": 4}


def needs(base):
    library = LIBRARIES.get(base, "torch")
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{base} needs {library} of the extra quantised")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("hot") / "v1.0.safetensors"
    save_file(vector_weights.official_tiny(hot=True), path)
    return path


@pytest.fixture
def network(weights):
    return load_transformer(weights, release="v1.0", config=TINY)


def velocity(transformer, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    grid = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
    ids = torch.cat([torch.zeros(16, 1), grid], dim=1)
    return transformer(
        torch.randn(1, 32, 64, generator=generator).to(dtype),
        torch.randn(1, 6, 40, generator=generator).to(dtype),
        torch.tensor([[1, 1, 1, 1, 0, 0]]),
        torch.tensor([0.6]),
        torch.cat([ids, ids]),
        torch.zeros(6, 3),
    ).sample


@pytest.mark.parametrize("base", ERRORS)
def test_the_velocity_stays_near_the_one_of_full_weights(network, base):
    needs(base)
    with torch.no_grad():
        expected = velocity(network)
        store_base(network, base, compute_dtype=torch.float32)
        dtype = network.x_embedder.weight.dtype
        error = float((velocity(network, dtype) - expected).norm() / expected.norm())
    assert error <= ERRORS[base]


@pytest.mark.parametrize("base", ERRORS)
def test_the_weights_take_the_bytes_that_were_measured(network, base):
    needs(base)
    stored = store_base(network, base, device=torch.device("cpu"))
    inside = [name for name, value in network.named_modules() if isinstance(value, torch.nn.Linear)]
    assert stored.bytes_after == stored_bytes(network) and stored.bytes_before == 4 * 558_128
    assert stored.layers == (sum("block" in name or "connector" in name for name in inside) if BITS[base] < 16 else 0)
    # Toy matrices are small, so scales and tables weigh; embedders and biases stay in bf16.
    assert BITS[base] / 32 <= stored.bytes_after / stored.bytes_before < BITS[base] / 32 * 1.6


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("base", ERRORS)
def test_adapters_on_it_learn_and_do_the_same_on_full_weights(network, weights, base, autocast, tmp_path):
    needs(base)
    store_base(network, base)
    learning = add_adapters(network, LoraConfig(rank=4, alpha=4.0), train=("transformer", "connector"), seed=1)
    optimizers = build_optimizers(learning, OptimizerConfig(rate=1e-2))
    losses = []
    for _ in range(6):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = velocity(network, network.x_embedder.weight.dtype).float().square().mean()
        loss.backward()
        assert all(value.grad is not None for _, value in learning)
        optimizers.step()
        optimizers.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    own, *_ = export_adapter(network, tmp_path)
    full = load_transformer(weights, release="v1.0", config=TINY)
    attach_adapters(full, [(own, 1.0)])
    with torch.no_grad():
        expected, trained = velocity(full), velocity(network, network.x_embedder.weight.dtype)
    assert (trained - expected).norm() / expected.norm() < 2 * ERRORS[base] + 0.02


def test_a_library_that_is_absent_is_named_with_its_extra():
    with pytest.raises(MissingExtra, match=r"pip install step1x-edit\[train\]"):
        training_package("a_library_that_nobody_wrote")
    with pytest.raises(MissingExtra, match=r"pip install step1x-edit\[quantised\]"):
        training_package("torchao.a_module_that_nobody_wrote")
