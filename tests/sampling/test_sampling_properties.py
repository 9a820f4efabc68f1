"""What must hold for any size, latents and scale."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from step1x_edit.errors import RequestError, ShapeError
from step1x_edit.sampling.guidance import guided_velocity
from step1x_edit.sampling.packing import pack_latents, unpack_latents
from step1x_edit.sampling.padding import fold_padding
from step1x_edit.sampling.positions import grid_positions
from step1x_edit.sampling.resolution import fitted_mllm_size, generation_size, rounded_mllm_size
from step1x_edit.sampling.schedule import time_schedule

SIDES = st.integers(16, 5000)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))
def test_unpacking_undoes_packing(rows, columns, batch):
    latents = torch.randn(batch, 16, 2 * rows, 2 * columns)
    tokens = pack_latents(latents)
    assert tokens.shape == (batch, rows * columns, 64)
    assert torch.equal(unpack_latents(tokens, rows=rows, columns=columns), latents)


def test_a_patch_is_never_cut_and_tokens_are_counted():
    with pytest.raises(ShapeError, match="3 x 4"):
        pack_latents(torch.zeros(1, 16, 3, 4))
    with pytest.raises(ShapeError, match="12 tokens for a grid of 2 x 3"):
        unpack_latents(torch.zeros(1, 12, 64), rows=2, columns=3)


@given(SIDES, SIDES, st.sampled_from([256, 512, 1024]))
def test_the_working_area_is_near_the_size_level(width, height, level):
    if max(width, height) / min(width, height) > 8:
        return
    size = generation_size(width, height, size_level=level)
    assert all(side % 16 == 0 for side in size)
    assert 0.7 < size[0] * size[1] / level**2 <= 1.1


def test_a_shape_too_extreme_for_the_size_is_refused():
    with pytest.raises(RequestError, match="4000 x 16"):
        generation_size(4000, 16, size_level=128)


@given(SIDES, SIDES)
def test_the_llm_sees_pictures_at_the_size_of_its_own_processor(width, height):
    if max(width, height) / min(width, height) > 190:
        return
    size = fitted_mllm_size(width, height, patch_px=28, min_pixels=200704, max_pixels=313600)
    assert size == smart_resize(height, width, min_pixels=200704, max_pixels=313600)[::-1]


@given(SIDES, SIDES)
def test_the_first_resize_of_v1_x_gives_whole_patches(width, height):
    size = rounded_mllm_size(width, height, patch_px=28)
    assert all(side >= 28 and side % 28 == 0 for side in size)


@given(st.integers(1, 60), st.integers(1, 9000))
def test_times_fall_from_noise_to_image(steps, tokens):
    times = time_schedule(steps=steps, target_tokens=tokens)
    assert times[0] == 1 and times[-1] == 0 and (times.diff() < 0).all()


@given(st.floats(1, 10), st.sampled_from([None, 0.4]))
def test_guidance_without_difference_is_the_conditional_velocity(scale, power):
    velocity = torch.randn(2, 5, 64)
    assert torch.equal(guided_velocity(velocity, velocity, scale=scale, clamp_power=power), velocity)


def test_guidance_scale_1_without_clamp_is_the_conditional_velocity():
    conditional, unconditional = torch.randn(2, 1, 5, 64)
    assert_close(guided_velocity(conditional, unconditional, scale=1.0), conditional)


@given(st.floats(1, 10))
def test_the_clamp_never_pushes_further_than_plain_guidance(scale):
    conditional, unconditional = 3 * torch.randn(2, 1, 5, 64)
    plain = guided_velocity(conditional, unconditional, scale=scale) - unconditional
    clamped = guided_velocity(conditional, unconditional, scale=scale, clamp_power=0.4) - unconditional
    assert (clamped.norm(dim=-1) <= plain.norm(dim=-1) + 1e-4).all()


def test_positions_stay_exact_beyond_what_bfloat16_counts():
    ids = grid_positions(rows=1, columns=700)
    assert torch.equal(ids[:, 2], torch.arange(700.0))


@settings(max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_folded_pads_keep_their_weight_and_the_tokens_their_place(lengths):
    mask = torch.stack([(torch.arange(40) < length).long() for length in lengths])
    tokens = torch.randn(len(lengths), 40, 8) * mask[..., None]
    folded = fold_padding(tokens, mask, padded_length=40, dtype=torch.float32)
    slots = min(max(lengths) + 2, 40)
    assert folded.tokens.shape == (len(lengths), slots, 8)
    for row, length in enumerate(lengths):
        assert torch.equal(folded.tokens[row, :length], tokens[row, :length])
        assert not folded.key_bias[row, :length].any()
        assert float(folded.key_bias[row, length:].double().exp().sum()) == pytest.approx(40 - length, rel=1e-6)
