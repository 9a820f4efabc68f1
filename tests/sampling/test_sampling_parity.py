"""Sizes, schedule, packing, positions and guidance equal the released code."""

import numpy as np
import pytest
import torch
from diffusers.models.embeddings import Timesteps, apply_rotary_emb
from diffusers.models.transformers.transformer_flux import FluxPosEmbed
from torch.testing import assert_close

from step1x_edit.pipeline.assembly import flow_scheduler
from step1x_edit.sampling.guidance import guided_velocity
from step1x_edit.sampling.packing import pack_latents, unpack_latents
from step1x_edit.sampling.positions import grid_positions, mllm_text_positions, zero_positions
from step1x_edit.sampling.resolution import generation_size
from step1x_edit.sampling.schedule import schedule_shift, time_schedule

UNIT = {"rtol": 0, "atol": 1e-6}


@pytest.mark.parametrize("rule", ["official_input_process_image", "fork_v1p1_encode_image", "fork_v1p2_encode_image"])
def test_working_sizes_equal_the_released_rule(vector, rule):
    for case in vector("preprocess_sizes.json")[rule]:
        size = generation_size(*case["input_wh"], size_level=case.get("size_level", 1024))
        assert list(size) == case["output_wh"], case


def test_schedule_equals_the_released_one(vector):
    for case in vector("sampler_schedule.json")["get_schedule"]:
        if not case["kwargs"]:
            times = time_schedule(steps=case["num_steps"], target_tokens=case["image_seq_len"])
            assert_close(times, torch.tensor(case["timesteps"]), **UNIT)


def test_scheduler_of_the_pipeline_walks_the_released_schedule(vector, tiny):
    for scheduler in (flow_scheduler(), tiny("v1.1").scheduler):
        for case in vector("sampler_schedule.json")["fork_flow_match_euler"]:
            steps, shift = case["num_steps"], schedule_shift(case["image_seq_len"])
            assert shift == pytest.approx(case["mu"], abs=1e-12)
            scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=shift)
            assert_close(scheduler.sigmas, torch.tensor(case["sigmas"]), **UNIT)
            assert_close(scheduler.timesteps, torch.tensor(case["timesteps"]), rtol=0, atol=1e-3)


def test_scheduler_is_configured_as_in_the_published_folders(vector):
    for name, value in vector("sampler_schedule.json")["fork_scheduler_config"].items():
        assert flow_scheduler().config[name] == value, name


def test_packing_equals_the_released_layout(vector):
    values = vector("units.safetensors")
    tokens = torch.cat([pack_latents(values["pack.x"]), pack_latents(values["pack.ref"])], dim=1)
    assert torch.equal(tokens, values["pack.img"])
    assert torch.equal(unpack_latents(tokens[:, :15], rows=3, columns=5), values["pack.unpacked"])
    ids = grid_positions(rows=3, columns=5)
    assert torch.equal(torch.cat([ids, ids]), values["pack.img_ids"][0])


@pytest.mark.parametrize("case", range(4))
def test_context_positions_of_v1_2_equal_the_released_ones(vector, case):
    values = {
        name.partition(".")[2]: tensor
        for name, tensor in vector("fork_v1p2_txt_ids.safetensors").items()
        if name.startswith(f"{case}.")
    }
    expected, (rows, columns) = values["txt_ids"], values["vision_hw"].tolist()
    is_picture = torch.zeros(len(expected), dtype=torch.long)
    is_picture[values["vision_start_index"] + torch.arange(rows * columns)] = 1
    ids = mllm_text_positions(
        expected[:, 0].long() + 1000,
        is_picture=is_picture,
        grid=(rows, columns),
        patch_px=28,
        generation=tuple(values["source_wh"].tolist()),
    )
    assert_close(ids, expected, rtol=0, atol=1e-4)


def test_context_positions_of_v1_0_and_v1_1_are_zero(vector):
    assert torch.equal(zero_positions(24), vector("fork_v1p1_official_tiny_b1.safetensors")["in.txt_ids_2d"])


@pytest.mark.parametrize(
    ("file", "name", "axis", "offset"),
    [
        ("official_tiny_b1", "in.img_ids", 0, 0),
        ("fork_v1p1_official_tiny_b1", "in.img_ids_2d_pipeline", 1, 1),
        ("fork_v1p2_official_tiny_b1", "in.img_ids_2d", 1, 0),
        ("fork_v1p2_pipeline_loop_trunc0.93", "img_ids", 1, 0),
    ],
)
def test_image_positions_equal_the_released_ones(vector, file, name, axis, offset):
    target = grid_positions(rows=8, columns=6)
    reference = grid_positions(rows=8, columns=6, axis=axis, offset=offset)
    assert torch.equal(torch.cat([target, reference]), vector(f"{file}.safetensors")[name].reshape(-1, 3))


def test_guidance_clamps_by_the_released_factor(vector):
    values = vector("units.safetensors")
    norms = values["diff_norm_clamp.in"]
    difference = torch.zeros(1, len(norms), 64)
    difference[0, :, 5] = norms
    guided = guided_velocity(difference, torch.zeros_like(difference), scale=6.0, clamp_power=0.4)
    assert_close(guided[0, :, 5], 6.0 * norms / values["diff_norm_clamp.k0.4"], rtol=1e-6, atol=1e-6)


def test_guidance_takes_the_released_steps(vector):
    values = vector("fork_v1p2_pipeline_loop_trunc0.93.safetensors")
    latents, times = values["noise_packed"], values["scheduler_sigmas"]
    scheduler = flow_scheduler()
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / 6, 6), mu=schedule_shift(48))
    assert_close(scheduler.sigmas, times, **UNIT)
    assert_close(scheduler.sigmas[:-1], values["timestep_arg"], **UNIT)
    for step, timestep in enumerate(scheduler.timesteps):
        conditional, unconditional = values["pred_cond"][step, None], values["pred_uncond"][step, None]
        assert_close((conditional - unconditional).norm(dim=-1)[0], values["diff_norm"][step], rtol=0, atol=1e-5)
        velocity = guided_velocity(conditional, unconditional, scale=6.0, clamp_power=0.4)
        latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
        assert_close(latents[0], values["latents_after_step"][step], rtol=0, atol=1e-5)
    assert_close(latents, values["final_packed"], rtol=0, atol=1e-5)


def test_qk_norm_equals_the_released_one(vector, vector_transformer):
    values = vector("units.safetensors")
    norm = vector_transformer("v1.0").transformer_blocks[0].attn.norm_q
    scale = values["qk_rmsnorm.scale"]
    for size in ("small", "mid", "large"):
        x = values[f"qk_rmsnorm.{size}.x"]
        normed = torch.func.functional_call(norm, {"weight": scale}, x)
        assert_close(normed, values[f"qk_rmsnorm.{size}.y"], **UNIT)
        normed = torch.func.functional_call(norm, {"weight": scale.bfloat16()}, x.bfloat16())
        assert torch.equal(normed, values[f"qk_rmsnorm.{size}.y_bf16_in"])


def test_time_embeddings_equal_the_released_ones(vector, vector_transformer):
    values = vector("units.safetensors")
    model = vector_transformer("v1.0")
    times = values["timestep_embedding.t"]
    assert_close(model.time_proj(1000 * times), values["timestep_embedding.dit"], **UNIT)
    connector_embedding = model.connector.S.t_embedder.sinusoids(1000 * times)
    assert_close(connector_embedding, values["timestep_embedding.connector_of_t_times_1000"], **UNIT)
    rounded = model.time_proj(1000 * times.bfloat16()).bfloat16()
    assert torch.equal(rounded, values["timestep_embedding.dit_bf16_t"])
    assert isinstance(model.time_proj, Timesteps)


def test_rotary_tables_and_a_rotated_query_equal_the_released_ones(vector):
    values = vector("units.safetensors")
    for axes in ([4, 6, 6], [16, 56, 56]):
        table = values[f"rope.pe_axes_{'_'.join(map(str, axes))}"][0, 0]
        cosines, sines = FluxPosEmbed(theta=10000, axes_dim=axes)(values["rope.ids"][0])
        assert_close(cosines, table[..., 0, 0].repeat_interleave(2, -1), **UNIT)
        assert_close(sines, table[..., 1, 0].repeat_interleave(2, -1), **UNIT)
    rotated = apply_rotary_emb(values["rope.q_in"], (cosines, sines), sequence_dim=1)
    assert_close(rotated, values["rope.q_out"], **UNIT)
