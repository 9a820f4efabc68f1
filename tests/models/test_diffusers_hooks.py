"""What diffusers 0.42 attaches from outside works on the transformer: caches, casting, offloading, backends, adapters."""

import json
from collections import Counter
from contextlib import contextmanager

import accelerate
import numpy as np
import pytest
import torch
from diffusers.hooks import FirstBlockCacheConfig, MagCacheConfig, TaylorSeerCacheConfig
from peft import LoraConfig
from PIL import Image
from tiny import tiny_pipeline
from torch.testing import assert_close

EQUAL = {"rtol": 0, "atol": 2e-5}
STEPS = 6
RELEASES = ["v1.1", "v1.2"]


def edit(pipeline, *, seed=3, steps=STEPS, **more):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8))
    return pipeline(
        image,
        "make it red",
        size_level=48,
        num_inference_steps=steps,
        true_cfg_scale=3.0,
        generator=torch.Generator().manual_seed(seed),
        output_type="latent",
        **more,
    ).images


@pytest.fixture(params=RELEASES)
def pipeline(request):
    return tiny_pipeline(request.param)


@contextmanager
def counted(transformer):
    """Count how often each attention really runs."""
    runs = Counter()
    handles = [
        module.register_forward_hook(lambda _module, _args, _output, name=name: runs.update([name]))
        for name, module in transformer.named_modules()
        if name.endswith(("attn.to_q", "attn.to_k"))
    ]
    yield runs
    for handle in handles:
        handle.remove()


FIRST, LAST = "transformer_blocks.0.attn.to_k", "single_transformer_blocks.1.attn.to_k"


def test_a_first_block_cache_of_no_tolerance_changes_nothing(pipeline):
    expected = edit(pipeline)
    pipeline.transformer.enable_cache(FirstBlockCacheConfig(threshold=0.0))
    assert_close(edit(pipeline), expected, **EQUAL)
    pipeline.transformer.disable_cache()
    assert_close(edit(pipeline), expected, rtol=0, atol=0)


def test_a_first_block_cache_skips_the_blocks_behind_the_first(pipeline):
    calls = STEPS * (1 if pipeline.conventions.pad_text else 2)
    pipeline.transformer.enable_cache(FirstBlockCacheConfig(threshold=1e6))
    for _ in range(2):
        with counted(pipeline.transformer) as runs:
            assert torch.isfinite(edit(pipeline)).all()
        assert runs[FIRST] == calls and runs[LAST] == calls // STEPS


class Stopped(Exception):
    pass


def test_a_cache_forgets_a_run_that_broke_off(pipeline):
    def stop(_pipeline, step, _timestep, _tensors):
        if step == 2:
            raise Stopped

    pipeline.transformer.enable_cache(FirstBlockCacheConfig(threshold=1e6))
    expected = edit(pipeline)
    with pytest.raises(Stopped):
        edit(pipeline, seed=4, callback_on_step_end=stop)
    assert torch.equal(edit(pipeline), expected)


def test_mag_cache_calibrates_and_then_skips(pipeline, capsys):
    expected = edit(pipeline)
    pipeline.transformer.enable_cache(MagCacheConfig(calibrate=True, num_inference_steps=STEPS))
    assert_close(edit(pipeline), expected, **EQUAL)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("[1.0")]
    assert len(printed) == (1 if pipeline.conventions.pad_text else 2)
    ratios = printed[0]
    assert len(ratios) == STEPS
    pipeline.transformer.disable_cache()
    pipeline.transformer.enable_cache(
        MagCacheConfig(mag_ratios=ratios, num_inference_steps=STEPS, threshold=100.0, retention_ratio=0.2)
    )
    with counted(pipeline.transformer) as runs:
        assert torch.isfinite(edit(pipeline)).all()
    assert 0 < runs[LAST] < STEPS * len(printed)


def test_taylor_seer_predicts_attention_between_full_steps(pipeline):
    expected = edit(pipeline)
    calls = STEPS * (1 if pipeline.conventions.pad_text else 2)
    pipeline.transformer.enable_cache(
        TaylorSeerCacheConfig(cache_interval=2, disable_cache_before_step=2, taylor_factors_dtype=torch.float32)
    )
    with counted(pipeline.transformer) as runs:
        predicted = edit(pipeline)
    assert 0 < runs[LAST] < calls
    assert (predicted - expected).norm() < 0.2 * expected.norm()


def test_layerwise_casting_stores_all_but_norms_and_modulation_in_8_bits(pipeline):
    expected = edit(pipeline)
    pipeline.transformer.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    stored = {name: weight.dtype for name, weight in pipeline.transformer.named_parameters()}
    assert stored["transformer_blocks.0.attn.to_q.weight"] == torch.float8_e4m3fn
    assert stored["connector.S.t_embedder.mlp.0.weight"] == torch.float8_e4m3fn
    assert stored["transformer_blocks.0.norm1.linear.weight"] == torch.float32
    result = edit(pipeline)
    assert torch.isfinite(result).all()
    assert 0 < (result - expected).norm() < 0.2 * expected.norm()


@pytest.mark.parametrize("level", ["block_level", "leaf_level"])
def test_group_offloading_changes_nothing(pipeline, level, tmp_path):
    expected = edit(pipeline)
    # Without an accelerator only the form that leaves weights on disk moves anything.
    pipeline.transformer.enable_group_offload(
        onload_device=torch.device("cpu"),
        offload_device=torch.device("cpu"),
        offload_type=level,
        num_blocks_per_group=1 if level == "block_level" else None,
        offload_to_disk_path=str(tmp_path),
    )
    for weight in pipeline.transformer.parameters():
        weight.data.fill_(float("nan"))
    assert_close(edit(pipeline), expected, **EQUAL)


def test_sequential_offloading_changes_nothing(pipeline):
    expected = edit(pipeline)
    accelerate.cpu_offload(pipeline.transformer, execution_device=torch.device("cpu"))
    assert pipeline.transformer.proj_out.weight.device.type == "meta"
    assert_close(edit(pipeline), expected, **EQUAL)


def test_an_attention_backend_can_be_chosen(pipeline):
    expected = edit(pipeline)
    pipeline.transformer.set_attention_backend("native")
    assert_close(edit(pipeline), expected, **EQUAL)
    assert {processor._attention_backend for processor in pipeline.transformer.attn_processors.values()} == {"native"}


def test_an_adapter_acts_scales_and_leaves(pipeline):
    transformer, expected = pipeline.transformer, edit(pipeline)
    targets = ["to_q", "add_k_proj", "proj_mlp", "norm1.linear", "norm.linear"]
    transformer.add_adapter(LoraConfig(r=2, lora_alpha=4, target_modules=targets), adapter_name="style")
    assert_close(edit(pipeline), expected, **EQUAL)
    for name, weight in transformer.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3, generator=torch.Generator().manual_seed(len(name)))
    adapted = edit(pipeline)
    assert (adapted - expected).abs().max() > 1e-3
    transformer.set_adapters("style", 0.0)
    assert_close(edit(pipeline), expected, **EQUAL)
    transformer.set_adapters("style", 1.0)
    transformer.fuse_lora()
    assert_close(edit(pipeline), adapted, rtol=0, atol=1e-4)
    transformer.unfuse_lora()
    transformer.delete_adapters("style")


def test_a_saved_adapter_loads_again(tmp_path):
    pipeline, other = tiny_pipeline("v1.2"), tiny_pipeline("v1.2")
    pipeline.transformer.add_adapter(LoraConfig(r=2, target_modules=["to_v"], init_lora_weights=False))
    pipeline.transformer.save_lora_adapter(tmp_path)
    other.transformer.load_lora_adapter(tmp_path, prefix=None, weight_name="pytorch_lora_weights.safetensors")
    assert_close(edit(other, steps=1), edit(pipeline, steps=1), **EQUAL)
    other.transformer.unload_lora()
    assert (edit(other, steps=1) - edit(pipeline, steps=1)).abs().max() > 1e-4


def test_gradients_reach_every_block_with_and_without_checkpointing(vector, vector_transformer):
    values, model = vector("official_tiny_b1.safetensors"), vector_transformer("v1.0")
    gradients = []
    for checkpointing in (False, True):
        model.enable_gradient_checkpointing() if checkpointing else model.disable_gradient_checkpointing()
        model.train()
        velocity = model(
            values["in.img"],
            values["in.llm_embedding"],
            values["in.mask"],
            values["in.timesteps"],
            values["in.img_ids"],
            values["in.txt_ids"],
            target_tokens=48,
        ).sample
        parameters = dict(model.named_parameters())
        gradients.append(torch.autograd.grad(velocity.square().mean(), list(parameters.values()), allow_unused=True))
    model.disable_gradient_checkpointing()
    model.eval()
    for name, plain, checkpointed in zip(parameters, *gradients, strict=True):
        assert plain is not None, name
        assert_close(checkpointed, plain, rtol=1e-4, atol=1e-7)
