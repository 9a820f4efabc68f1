"""Whole edits with tiny pipelines of the real classes, for every release."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import tiny_pipeline
from torch.testing import assert_close

from step1x_edit.errors import NumericalError, RequestError
from step1x_edit.models.vae import decode_latents
from step1x_edit.pipeline.step1x_edit import Step1XEditPipeline

RELEASES = ["v1.0", "v1.1", "v1.2-preview", "v1.2", "nano"]
EDITING_ONLY = [release for release in RELEASES if release != "v1.1"]
SMALL = {"size_level": 48, "num_inference_steps": 2, "true_cfg_scale": 3.0}
EQUAL = {"rtol": 0, "atol": 2e-5}
PROMPTS = ["make it “red”", "把天空变成紫色, please"]


def picture(width=50, height=44, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def edit(pipeline, prompt="make it red", *, image=None, seed=7, **more):
    generator = [seeded(s) for s in seed] if isinstance(seed, list) else seeded(seed)
    return pipeline(image or picture(), prompt, generator=generator, **{**SMALL, **more}).images


@pytest.fixture(params=RELEASES)
def pipeline(tiny, request):
    return tiny(request.param)


def test_the_same_seed_makes_the_same_picture(pipeline):
    (first,), (again,), (other,) = (edit(pipeline, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_guidance_scale_1_is_the_conditional_branch(pipeline):
    seen = []
    handle = pipeline.transformer.register_forward_pre_hook(
        lambda _module, args, kwargs: seen.append((args, kwargs["prepared"].refiner.tokens.shape[0])), with_kwargs=True
    )
    alone = edit(pipeline, true_cfg_scale=1.0, output_type="latent")
    handle.remove()
    assert [rows for _, rows in seen] == [1, 1]
    same_branches = edit(pipeline, negative_prompt="make it red", true_cfg_scale=5.0, output_type="latent")
    assert_close(same_branches, alone, **EQUAL)
    assert (edit(pipeline, output_type="latent") - alone).abs().max() > 1e-3


@pytest.mark.parametrize("size", [(17, 31), (31, 17), (90, 122), (64, 64)])
def test_the_result_has_the_size_of_the_input(tiny, size):
    for release in ("v1.1", "nano"):
        (result,) = edit(tiny(release), image=picture(*size), num_inference_steps=1)
        assert result.size == size and result.mode == "RGB"


def test_a_batch_of_prompts_equals_single_edits(pipeline):
    together = edit(pipeline, PROMPTS, seed=[1, 2], output_type="latent")
    for index, prompt in enumerate(PROMPTS):
        alone = edit(pipeline, prompt, seed=[index + 1], output_type="latent")
        assert_close(together[index, None], alone, **EQUAL)


def test_a_batch_of_pictures_equals_single_edits(tiny):
    pictures = [picture(seed=1), picture(seed=2)]
    together = edit(tiny("v1.1"), PROMPTS, image=pictures, seed=[1, 2], output_type="latent")
    for index in range(2):
        alone = edit(tiny("v1.1"), PROMPTS[index], image=pictures[index], seed=[index + 1], output_type="latent")
        assert_close(together[index, None], alone, **EQUAL)


def test_several_pictures_of_a_prompt_stand_together(pipeline):
    results = edit(pipeline, PROMPTS, seed=[1, 2, 3, 4], num_images_per_prompt=2, output_type="latent")
    assert len(results) == 4
    for index, seed in enumerate((1, 2, 3, 4)):
        alone = edit(pipeline, PROMPTS[index // 2], seed=[seed], output_type="latent")
        assert_close(results[index, None], alone, **EQUAL)


def test_a_negative_instruction_changes_the_result(pipeline):
    without = edit(pipeline, output_type="latent")
    assert (edit(pipeline, negative_prompt="a blue house", output_type="latent") - without).abs().max() > 1e-4


def test_latents_are_honoured(tiny):
    tokens = torch.randn(1, 9, 64, generator=seeded(1))
    image = picture(48, 48)
    results = [edit(tiny("v1.1"), image=image, latents=tokens, seed=seed, output_type="latent") for seed in (1, 2)]
    assert torch.equal(*results)
    with pytest.raises(RequestError, match=r"\(1, 9, 64\)"):
        edit(tiny("v1.1"), image=image, latents=tokens[:, :8])


def test_output_types_agree(tiny):
    pipeline = tiny("v1.1")
    image = picture(48, 48)
    pil, array, tensor, latent = (
        edit(pipeline, image=image, output_type=kind) for kind in ("pil", "np", "pt", "latent")
    )
    assert array.shape == (1, 48, 48, 3) and tensor.shape == (1, 3, 48, 48) and latent.shape == (1, 16, 6, 6)
    assert np.array_equal(np.asarray(pil[0]), np.rint(array[0] * 255).astype(np.uint8))
    assert torch.equal(tensor, torch.from_numpy(array).permute(0, 3, 1, 2))
    with torch.no_grad():
        decoded = ((decode_latents(pipeline.vae, latent) + 1) * 127.5).round()[0].permute(1, 2, 0)
    assert np.array_equal(np.asarray(pil[0]), decoded.to(torch.uint8).numpy())
    with pytest.raises(RequestError, match="output type"):
        edit(pipeline, output_type="jpeg")


def test_a_callback_sees_each_step_and_may_change_the_latents(tiny):
    steps = []

    def note(_pipeline, step, timestep, tensors):
        steps.append((step, float(timestep), tuple(tensors["latents"].shape)))

    def erase(_pipeline, step, _timestep, tensors):
        return {"latents": torch.zeros_like(tensors["latents"])} if step == 1 else {}

    edit(tiny("v1.1"), image=picture(48, 48), callback_on_step_end=note)
    assert [(step, shape) for step, _, shape in steps] == [(0, (1, 9, 64)), (1, (1, 9, 64))]
    assert steps[0][1] == 1000
    erased = edit(tiny("v1.1"), image=picture(48, 48), callback_on_step_end=erase, output_type="latent")
    assert not erased.any()


def test_an_interrupt_leaves_after_the_current_step(tiny):
    seen = []

    def stop(pipeline, step, _timestep, _tensors):
        seen.append(step)
        pipeline._interrupt = step == 1

    edit(tiny("v1.1"), num_inference_steps=5, callback_on_step_end=stop)
    assert seen == [0, 1]
    edit(tiny("v1.1"), num_inference_steps=2, callback_on_step_end=lambda *_: seen.append("again"))
    assert seen[2:] == ["again", "again"]


def test_v1_1_makes_pictures_from_text(tiny):
    shapes = []
    handle = tiny("v1.1").transformer.register_forward_pre_hook(lambda _module, args: shapes.append(args[0].shape))
    made = tiny("v1.1")(
        None, PROMPTS, width=64, height=48, num_inference_steps=1, true_cfg_scale=3.0, generator=seeded(0)
    )
    handle.remove()
    assert [result.size for result in made.images] == [(64, 48)] * 2
    assert shapes == [(4, 12, 64)]


@pytest.mark.parametrize("release", EDITING_ONLY)
def test_releases_that_only_edit_refuse_text_alone(tiny, release):
    with pytest.raises(RequestError, match="only edits"):
        tiny(release)(None, "a red house")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"prompt": PROMPTS, "image": [picture(), picture(), picture()]}, "3 reference images for 2 prompts"),
        ({"prompt": PROMPTS, "image": [picture(40, 40), picture(90, 20)]}, "2 sizes"),
        ({"prompt": "x", "image": picture(), "width": 50, "height": 48}, "divisible by 16"),
        ({"prompt": "x", "image": picture(), "width": 48}, "48 x 0 px; expected a width and a height"),
        ({"prompt": PROMPTS, "image": picture(), "negative_prompt": ["a", "b", "c"]}, "3 negative"),
    ],
)
def test_requests_that_cannot_be_served_are_refused(tiny, request_, words):
    with pytest.raises(RequestError, match=words):
        tiny("v1.1")(**request_, **SMALL)


def test_an_explicit_working_size_is_used(tiny):
    latent = edit(tiny("v1.1"), width=64, height=32, output_type="latent")
    assert latent.shape == (1, 16, 4, 8)
    (result,) = edit(tiny("v1.1"), width=64, height=32)
    assert result.size == (50, 44)


@pytest.mark.parametrize("release", ["v1.1", "v1.2"])
def test_a_saved_pipeline_makes_the_same_picture(tiny, release, tmp_path):
    tiny(release).save_pretrained(tmp_path)
    loaded = Step1XEditPipeline.from_pretrained(tmp_path)
    loaded.set_progress_bar_config(disable=True)
    assert loaded.conventions == tiny(release).conventions and loaded.release.id == release
    assert np.array_equal(edit(loaded)[0], edit(tiny(release))[0])


@pytest.mark.parametrize(
    ("weight", "block"),
    [
        ("transformer_blocks.1.attn.to_q.weight", "transformer_blocks.1"),
        ("single_transformer_blocks.0.proj_mlp.weight", "single_transformer_blocks.0"),
        ("single_transformer_blocks.1.attn.to_v.weight", "single_transformer_blocks.1"),
        ("single_transformer_blocks.0.norm.linear.weight", "single_transformer_blocks.0"),
        ("connector.S.individual_token_refiner.blocks.1.mlp.fc1.weight", "individual_token_refiner.blocks.1"),
    ],
)
def test_a_nan_in_a_weight_stops_the_first_step_and_names_the_block(weight, block):
    pipeline, steps = tiny_pipeline("v1.0"), []
    pipeline.transformer.get_parameter(weight).data[0, 0] = float("nan")
    with pytest.raises(NumericalError, match=f"step 1 of 2, first in .*{block}"):
        edit(pipeline, callback_on_step_end=lambda _pipeline, step, *_: steps.append(step))
    assert not steps


def test_a_half_precision_pipeline_edits(tiny):
    pipeline = tiny_pipeline("v1.2").to(torch.bfloat16)
    rough, exact = (edit(item, output_type="latent") for item in (pipeline, tiny("v1.2")))
    assert torch.isfinite(rough).all()
    assert (rough - exact).norm() < 0.1 * exact.norm()
