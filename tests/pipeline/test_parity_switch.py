"""``parity=True`` brings back what the released code does by accident, and only that."""

import numpy as np
import pytest
import torch
from PIL import Image

from step1x_edit.sampling.resolution import generation_size


def picture(width, height):
    noise = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


class Observed:
    """What the transformer was given in the first step, and what the LLM read."""

    def __init__(self, pipeline, prompt="make it red", *, size=(64, 64), seed=1, **more):
        self.image_tokens, self.context, self.latents = [], [], None
        handle = pipeline.transformer.register_forward_pre_hook(self._note, with_kwargs=True)
        settings = {"size_level": 64, "num_inference_steps": 1, "true_cfg_scale": 1.0, "output_type": "latent"}
        generator = torch.Generator().manual_seed(seed)
        self.latents = pipeline(picture(*size), prompt, generator=generator, **{**settings, **more}).images
        handle.remove()

    def _note(self, _module, args, kwargs):
        self.image_tokens.append(args[0])
        self.context.append(kwargs["prepared"].refiner)

    @property
    def target(self):
        return self.image_tokens[0].chunk(2, dim=1)[0]

    @property
    def reference(self):
        return self.image_tokens[0].chunk(2, dim=1)[1]

    @property
    def text_tokens(self):
        return self.context[0].tokens.shape[1]


@pytest.mark.parametrize("release", ["v1.0", "v1.1", "v1.2"])
def test_the_reference_depends_on_the_seed_only_in_parity(tiny, release):
    fixed = [Observed(tiny(release), seed=seed).reference for seed in (1, 2)]
    released = [Observed(tiny(release), seed=seed, parity=True).reference for seed in (1, 2)]
    assert torch.equal(*fixed)
    assert not torch.equal(*released)


def test_in_parity_the_posterior_is_drawn_before_the_noise(tiny):
    run, generator = Observed(tiny("v1.1"), parity=True), torch.Generator().manual_seed(1)
    torch.randn(1, 16, 8, 8, generator=generator)
    noise = torch.randn(1, 16, 8, 8, generator=generator)
    assert torch.equal(run.target, torch.nn.functional.pixel_unshuffle(noise, 2).flatten(2).transpose(1, 2))


@pytest.mark.parametrize("size", [(90, 122), (100, 61)])
def test_the_working_size_bends_the_picture_only_in_parity(tiny, size):
    columns, rows = (side // 16 for side in generation_size(*size, size_level=64))
    released = Observed(tiny("v1.1"), size=size, parity=True)
    assert released.target.shape[1] == rows * columns
    fixed = Observed(tiny("v1.1"), size=size)
    assert fixed.latents.shape[-2] * 8 * size[0] == pytest.approx(fixed.latents.shape[-1] * 8 * size[1], rel=0.25)
    assert fixed.target.shape[1] > released.target.shape[1]


def test_an_apostrophe_is_a_quote_only_in_parity(tiny):
    fixed, released = (Observed(tiny("v1.0"), "this girl's neck", parity=parity) for parity in (False, True))
    # Released: the chat tail (four special or short tokens) is spelt letter by letter, each in wrapped quotes.
    assert released.text_tokens > fixed.text_tokens + 30


@pytest.mark.parametrize("release", ["v1.0", "v1.1", "v1.2"])
def test_a_free_exclamation_mark_counts_as_padding_only_in_parity(tiny, release):
    def context(prompt, parity):
        return Observed(tiny(release), prompt, parity=parity).context[0].tokens

    assert torch.equal(context("make it red.", True), context("make it red.", False))
    with_mark = context("make it red !", True), context("make it red !", False)
    assert with_mark[0].shape == with_mark[1].shape
    assert not torch.equal(*with_mark)


def test_a_plain_edit_of_a_square_differs_by_the_posterior_sample_alone(tiny):
    fixed, released = (Observed(tiny("v1.1"), parity=parity) for parity in (False, True))
    assert torch.equal(fixed.context[0].tokens, released.context[0].tokens)
    assert fixed.image_tokens[0].shape == released.image_tokens[0].shape
