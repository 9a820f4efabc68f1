"""Whole runs from noise to latents equal the released sampler (tolerance 2e-4)."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from step1x_edit.models.conditioner import Conditioning
from step1x_edit.models.vae import decode_latents, encode_pixels
from step1x_edit.pipeline.assembly import flow_scheduler
from step1x_edit.pipeline.denoising import GuidedFlow, plan_calls
from step1x_edit.pipeline.geometry import released_frame
from step1x_edit.presets.releases import find_release
from step1x_edit.sampling.packing import pack_latents, unpack_latents
from step1x_edit.sampling.positions import grid_positions
from step1x_edit.sampling.schedule import schedule_shift

RUN = {"rtol": 0, "atol": 2e-4}
STEPS = 6


def denoise(transformer, conditionings, noise, reference, *, grid, conventions, guidance_scale=6.0):
    """The pipeline's loop with its own parts; returns the latents after each step and the schedule."""
    rows, columns = grid
    scheduler = flow_scheduler()
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / STEPS, STEPS), mu=schedule_shift(rows * columns))
    times = scheduler.sigmas[:-1]
    axis, offset = conventions.reference_axis, conventions.reference_offset
    positions = [
        grid_positions(rows=rows, columns=columns),
        grid_positions(rows=rows, columns=columns, axis=axis, offset=offset),
    ]
    calls = plan_calls(
        transformer, conditionings, image_positions=torch.cat(positions), times=times, conventions=conventions
    )
    flow = GuidedFlow(
        transformer,
        calls,
        reference=reference,
        times=times,
        guidance_scale=guidance_scale,
        conventions=conventions,
    )
    latents, states = noise, []
    for step, timestep in enumerate(scheduler.timesteps):
        latents = scheduler.step(flow.velocity(latents, step), timestep, latents, return_dict=False)[0]
        states.append(latents)
    return torch.cat(states), scheduler.sigmas


@pytest.mark.parametrize("clamp_above", ["1.0", "0.5"])
def test_a_run_of_v1_0_equals_the_released_sampler(vector, vector_transformer, clamp_above):
    values = vector(f"sampler_denoise_small_trunc{clamp_above}.safetensors")
    conventions = find_release("v1.0").conventions.model_copy(
        update={"max_text_tokens": 24, "clamp_above_time": float(clamp_above)}
    )
    conditionings = [
        Conditioning(tokens=tokens[None, :length], mask=torch.ones(1, length).long(), positions=torch.zeros(length, 3))
        for tokens, length in zip(values["llm_embedding"], values["mask"].sum(1).tolist(), strict=True)
    ]
    noise, reference = pack_latents(values["noise"]), pack_latents(values["ref_latents"])
    assert torch.equal(torch.cat([noise, reference], dim=1), values["packed_img0"][:1])
    states, times = denoise(
        vector_transformer("v1.0", hot=True), conditionings, noise, reference, grid=(8, 6), conventions=conventions
    )
    assert_close(times, values["timesteps"], rtol=0, atol=1e-6)
    assert_close(states, values["latents_after_step"], **RUN)
    assert_close(states[-1:], values["final_packed"], **RUN)
    assert_close(unpack_latents(states[-1:], rows=8, columns=6), values["final_unpacked"], **RUN)


def test_branches_before_guidance_equal_the_released_ones(vector, vector_transformer):
    values = vector("sampler_denoise_small_trunc0.5.safetensors")
    transformer = vector_transformer("v1.0", hot=True)
    for step in range(STEPS):
        latents = values["packed_img0"][:1, :48] if step == 0 else values["latents_after_step"][step - 1, None]
        with torch.no_grad():
            velocity = transformer(
                torch.cat([latents, values["packed_img0"][:1, 48:]], dim=1).expand(2, -1, -1),
                values["llm_embedding"],
                values["mask"],
                values["timesteps"][step].expand(2),
                values["img_ids"],
                values["txt_ids"],
                target_tokens=48,
            ).sample
        assert_close(velocity[0], values["pred_cond"][step], **RUN)
        assert_close(velocity[1], values["pred_uncond"][step], **RUN)
        assert_close((velocity[0] - velocity[1]).norm(dim=-1), values["diff_norm"][step], **RUN)


def test_v1_2_takes_two_calls_with_the_released_shapes(vector, vector_transformer):
    values = vector("fork_v1p2_pipeline_loop_trunc0.93.safetensors")
    transformer, conventions = vector_transformer("v1.2"), find_release("v1.2").conventions
    conditionings = [
        Conditioning(
            tokens=values[f"{branch}.embedding"],
            mask=values[f"{branch}.mask"],
            positions=values[f"{branch}.txt_ids"],
            text_embeddings=values[f"{branch}.text_embeds"],
            text_mask=values[f"{branch}.text_masks"],
        )
        for branch in ("cond", "uncond")
    ]
    calls = plan_calls(
        transformer,
        conditionings,
        image_positions=values["img_ids"],
        times=values["timestep_arg"],
        conventions=conventions,
    )
    assert [call.rows for call in calls] == [[0], [1]]
    assert [call.prepared.refiner.tokens.shape[1] for call in calls] == [21, 13]
    assert not any(call.attention for call in calls)
    states, times = denoise(
        transformer,
        conditionings,
        values["noise_packed"],
        values["image_latents_packed"],
        grid=(8, 6),
        conventions=conventions,
    )
    assert_close(times, values["scheduler_sigmas"], rtol=0, atol=1e-6)
    assert states.shape == values["latents_after_step"].shape


def test_a_seed_draws_the_posterior_and_then_the_noise_of_the_released_pipeline(vector, vector_vae):
    values = vector("fork_v1p2_pipeline_loop_trunc0.93.safetensors")
    image = Image.fromarray(values["image_uint8_hwc"].numpy())
    frame = released_frame(*image.size, size_level=112)
    assert frame.canvas == (96, 128)
    pixels = values["image_uint8_hwc"].permute(2, 0, 1)[None] / 127.5 - 1
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        reference = pack_latents(encode_pixels(vector_vae, pixels, generator=generator))
    assert_close(reference, values["image_latents_packed"], rtol=0, atol=1e-5)
    noise = pack_latents(torch.randn(1, 16, 16, 12, generator=generator))
    assert torch.equal(noise, values["noise_packed"])


def test_the_last_latents_become_the_released_picture(vector, vector_vae):
    values = vector("fork_v1p2_pipeline_loop_trunc0.93.safetensors")
    with torch.no_grad():
        decoded = decode_latents(vector_vae, unpack_latents(values["final_packed"], rows=8, columns=6))
    assert_close(decoded, values["final_decoded"].clamp(-1, 1), rtol=0, atol=1e-4)
    pixels = ((decoded[0] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0)
    assert torch.equal(pixels, values["final_pil_uint8_hwc"])
