"""What makes a step faster or smaller leaves its numbers as they are."""

import copy

import pytest
import torch
from torch.testing import assert_close

from step1x_edit.models.conditioner import Conditioning
from step1x_edit.presets.releases import find_release
from step1x_edit.training.acceleration import (
    accelerate_training,
    attention_put_back,
    choose_attention,
    keep_less,
    share_activations_with_adapters,
)
from step1x_edit.training.config import LoraConfig, ObjectiveConfig, RunConfig
from step1x_edit.training.draws import StepSeed
from step1x_edit.training.examples import Batch
from step1x_edit.training.methods.lora import add_adapters
from step1x_edit.training.step import flow_step_loss


@pytest.fixture(autouse=True)
def _attention_of_its_own():
    with attention_put_back():
        yield


def numbers(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


BATCH = Batch(
    target=numbers(1, 2, 48, 64),
    reference=numbers(2, 2, 48, 64),
    rows=8,
    columns=6,
    conditionings=tuple(
        Conditioning(tokens=numbers(n, 1, n, 40), mask=torch.ones(1, n).long(), positions=torch.zeros(n, 3))
        for n in (15, 21)
    ),
)


@pytest.fixture
def network(vector_transformer):
    return copy.deepcopy(vector_transformer("v1.1")).requires_grad_(True).train()


def step(network):
    """Loss, gradients, and the bytes that were kept for the backward pass."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = flow_step_loss(
            network,
            BATCH,
            objective=ObjectiveConfig(),
            conventions=find_release("v1.1").conventions,
            seed=StepSeed(run=0, step=0, numbers=(0, 1)),
        ).loss
    loss.backward()
    gradients = {name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None}
    network.zero_grad()
    return loss.detach(), gradients, sum(kept.values())


def assert_same(step, other, **tolerance):
    assert_close(step[0], other[0], **tolerance)
    assert_close(step[1], other[1], **tolerance)


@pytest.mark.parametrize(("share", "cheap"), [(0.0, True), (0.5, False), (0.5, True), (1.0, False)])
def test_what_is_computed_again_is_the_same_to_the_bit_and_takes_less_memory(network, share, cheap):
    plain = step(network)
    keep_less(network, share=share, cheap=cheap)
    less = step(network)
    assert_same(less, plain, rtol=0, atol=0)
    assert less[2] < plain[2]
    keep_less(network, share=0, cheap=False)
    assert step(network)[2] == plain[2]


def test_a_share_of_the_blocks_keeps_its_input_alone(network):
    calls = {}
    for name in ("transformer_blocks.0", "transformer_blocks.1", "single_transformer_blocks.0"):
        network.get_submodule(name).register_forward_pre_hook(
            lambda *_, name=name: calls.update({name: calls.get(name, 0) + 1})
        )
    keep_less(network, share=0.5, cheap=False)
    step(network)
    assert calls == {"transformer_blocks.0": 1, "transformer_blocks.1": 2, "single_transformer_blocks.0": 1}


def test_adapters_give_the_same_bits_without_copies_of_their_inputs(network):
    add_adapters(network, LoraConfig(rank=4), train=("transformer",), seed=0)
    for name, weight in network.named_parameters():
        if "lora_B" in name:
            weight.data = 0.02 * numbers(len(name), *weight.shape)
    network.bfloat16()
    for _, weight in network.named_parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    with torch.autocast("cpu", torch.bfloat16):
        plain = step(network)
        share_activations_with_adapters(network)
        shared = step(network)
    assert_same(shared, plain, rtol=0, atol=0)
    assert shared[2] < plain[2]


def test_plain_products_take_the_place_of_fused_attention_only_where_scores_are_small(network):
    fused = step(network)
    choose_attention(network, batch=2, tokens=200)
    assert {processor._attention_backend for processor in network.attn_processors.values()} == {"_native_math"}
    assert_same(step(network), fused, rtol=1e-4, atol=1e-5)
    choose_attention(network, batch=1, tokens=8192)
    assert {processor._attention_backend for processor in network.attn_processors.values()} == {"native"}


def test_blocks_are_compiled_whole_and_give_the_same(network):
    accelerate_training(network, RunConfig(steps=1, precision="fp32", cheap_recomputation=False), tokens=200)
    plain = step(network)
    network.compile_repeated_blocks(backend="aot_eager", fullgraph=True)
    assert_same(step(network), plain, rtol=1e-4, atol=1e-5)


def test_a_networks_attention_is_its_own_and_the_process_keeps_its_choice(network):
    from diffusers.models.attention_dispatch import _AttentionBackendRegistry

    before = _AttentionBackendRegistry.get_active_backend()[0]
    with attention_put_back():
        choose_attention(network, batch=2, tokens=200)
        assert torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
        assert _AttentionBackendRegistry.get_active_backend()[0] == before
    assert not torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
