"""What is computed once, folded or skipped gives the same numbers as the long way (model weights of the vectors)."""

from collections import Counter
from contextlib import contextmanager

import pytest
import torch
from torch.nn.functional import pad
from torch.testing import assert_close

from step1x_edit.models.conditioner import Conditioning
from step1x_edit.pipeline.denoising import GuidedFlow, plan_calls
from step1x_edit.presets.releases import find_release
from step1x_edit.sampling.padding import key_bias_of
from step1x_edit.sampling.positions import grid_positions

PADDED = 640
EQUAL = {"rtol": 0, "atol": 2e-5}
"""Rounding leaves about 4e-6 of velocities that reach 4.4."""
GRID = grid_positions(rows=4, columns=3)
TARGET = len(GRID)
TIMES = torch.tensor([1.0, 0.8, 0.35])


@pytest.fixture
def model(vector_transformer):
    return vector_transformer("v1.0", hot=True)


def conditioning(length, seed):
    tokens = torch.randn(1, length, 40, generator=torch.Generator().manual_seed(seed))
    return Conditioning(tokens=tokens, mask=torch.ones(1, length).long(), positions=torch.zeros(length, 3))


def image_tokens(batch, tokens=2 * TARGET):
    return torch.randn(batch, tokens, 64, generator=torch.Generator().manual_seed(9))


def long_way(model, conditionings, latents, time, **more):
    """Padded to the full length, everything computed anew, every position returned."""
    grown = [(PADDED - item.mask.shape[1], item) for item in conditionings]
    with torch.no_grad():
        return model(
            latents.to(model.dtype),
            torch.cat([pad(item.tokens, (0, 0, 0, pads)) for pads, item in grown]).to(model.dtype),
            torch.cat([pad(item.mask, (0, pads)) for pads, item in grown]),
            time.expand(len(latents)),
            torch.cat([GRID, GRID]),
            torch.zeros(PADDED, 3),
            **more,
        ).sample


def planned(model, conditionings, *, release="v1.0"):
    return plan_calls(
        model,
        conditionings,
        image_positions=torch.cat([GRID, GRID]),
        times=TIMES,
        conventions=find_release(release).conventions,
    )


def short_way(model, conditionings, latents, step, **more):
    """The pipeline's call: pads folded, modulation and the rest prepared."""
    (call,) = planned(model, conditionings)
    with torch.no_grad():
        return model(
            latents.to(model.dtype),
            timestep=TIMES[step].expand(len(latents)),
            prepared=call.prepared,
            step=step,
            joint_attention_kwargs=dict(call.attention),
            **more,
        ).sample


@pytest.mark.parametrize(
    "lengths", [(345, 300), (12, 9), (637, 12), (637, 636), (638, 637), (638, 639), (639, 1), (640, 345), (640, 640)]
)
def test_folded_pads_equal_the_full_padding(model, lengths):
    conditionings = [conditioning(length, seed) for seed, length in enumerate(lengths)]
    expected = long_way(model, conditionings, image_tokens(2), TIMES[1])
    assert_close(short_way(model, conditionings, image_tokens(2), 1), expected, **EQUAL)


def test_folding_shortens_the_sequence(model):
    (call,) = planned(model, [conditioning(345, 0), conditioning(300, 1)])
    assert call.prepared.refiner.tokens.shape[1] == 347
    assert call.attention["attention_mask"].shape == (2, 1, 1, 347 + 2 * TARGET)


def test_dropping_the_pads_is_not_the_same(model):
    conditionings = [conditioning(345, 0), conditioning(345, 1)]
    expected = long_way(model, conditionings, image_tokens(2), TIMES[1])
    with torch.no_grad():
        dropped = model(
            image_tokens(2),
            torch.cat([item.tokens for item in conditionings]),
            torch.cat([item.mask for item in conditionings]),
            TIMES[1].expand(2),
            torch.cat([GRID, GRID]),
            torch.zeros(345, 3),
        ).sample
    assert (dropped - expected).abs().max() > 100 * EQUAL["atol"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("length", [1, 345, 638, 639, 640])
def test_folded_pads_weigh_as_much_as_the_padding(length, dtype):
    slots = min(length + 2, PADDED)
    bias = key_bias_of(length, slots=slots, padded_length=PADDED, dtype=dtype)
    assert not bias[:length].any()
    weight = bias[length:].double().exp().sum()
    assert weight == pytest.approx(PADDED - length, rel=1e-6 if dtype == torch.float32 else 2e-4)


def test_folding_in_bfloat16_stays_as_close_to_fp32_as_the_full_padding(model):
    conditionings = [conditioning(345, 0), conditioning(300, 1)]
    exact = long_way(model, conditionings, image_tokens(2), TIMES[1])
    rough = type(model).from_config(model.config)
    rough.load_state_dict(model.state_dict())
    rough = rough.to(torch.bfloat16).eval()
    error_padded = (long_way(rough, conditionings, image_tokens(2), TIMES[1]).float() - exact).norm()
    error_folded = (short_way(rough, conditionings, image_tokens(2), 1).float() - exact).norm()
    assert error_folded <= 1.1 * error_padded


@pytest.mark.parametrize("step", range(len(TIMES)))
def test_everything_prepared_beforehand_equals_every_step_on_its_own(model, step):
    conditionings = [conditioning(20, 0), conditioning(14, 1)]
    expected = long_way(model, conditionings, image_tokens(2), TIMES[step])
    assert_close(short_way(model, conditionings, image_tokens(2), step), expected, **EQUAL)


def test_modulation_computed_beforehand_equals_the_blocks_own(model):
    (call,) = planned(model, [conditioning(20, 0), conditioning(14, 1)])
    inputs = {"prepared": call.prepared, "joint_attention_kwargs": dict(call.attention), "return_dict": False}
    for step, time in enumerate(TIMES):
        with torch.no_grad():
            (expected,) = model(image_tokens(2), timestep=time.expand(2), **inputs)
            (velocity,) = model(image_tokens(2), timestep=time.expand(2), step=step, **inputs)
        assert_close(velocity, expected, **EQUAL)


@pytest.mark.parametrize("tokens", [TARGET, 2 * TARGET])
def test_reading_target_tokens_only_equals_cutting_them_out(model, tokens):
    conditionings = [conditioning(20, 0), conditioning(14, 1)]
    everything = short_way(model, conditionings, image_tokens(2), 2)
    assert_close(
        short_way(model, conditionings, image_tokens(2), 2, target_tokens=tokens), everything[:, :tokens], **EQUAL
    )


@contextmanager
def counted(model):
    """Count how often each module runs, and how many tokens the last block's output projection sees."""
    runs, rows = Counter(), []
    handles = [
        module.register_forward_pre_hook(lambda _module, _args, name=name: runs.update([name]))
        for name, module in model.named_modules()
    ]
    last = model.single_transformer_blocks[-1].proj_out
    handles.append(last.register_forward_pre_hook(lambda _module, args: rows.append(args[0].shape[1])))
    yield runs, rows
    for handle in handles:
        handle.remove()


def test_a_run_computes_constant_things_once(model):
    conditionings = [conditioning(20, 0), conditioning(14, 1)]
    with counted(model) as (runs, rows):
        flow = GuidedFlow(
            model,
            planned(model, conditionings),
            reference=image_tokens(1, TARGET),
            times=TIMES,
            guidance_scale=6.0,
            conventions=find_release("v1.0").conventions,
        )
        for step in range(len(TIMES)):
            flow.velocity(image_tokens(1, TARGET), step)
    once = ["pos_embed", "vec_embed", "time_embed", "connector.S.input_embedder", "connector.S.c_embedder"]
    once += ["connector.global_proj_out", "norm_out.linear"]
    once += [f"transformer_blocks.{index}.{norm}.linear" for index in (0, 1) for norm in ("norm1", "norm1_context")]
    once += [f"single_transformer_blocks.{index}.norm.linear" for index in (0, 1)]
    assert {name: runs[name] for name in once} == dict.fromkeys(once, 1)
    assert runs["transformer_blocks.0"] == runs["single_transformer_blocks.1"] == len(TIMES)
    assert rows == [TARGET] * len(TIMES)


def test_both_branches_in_one_batch_equal_two_calls(model):
    pair = [conditioning(20, 0), conditioning(14, 1)]
    together = short_way(model, pair, image_tokens(1).expand(2, -1, -1), 1)
    for row, item in enumerate(pair):
        assert_close(short_way(model, [item], image_tokens(1), 1), together[row, None], **EQUAL)
    assert [call.rows for call in planned(model, pair)] == [[0, 1]]
