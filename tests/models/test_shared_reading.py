"""Prompts about one picture share the vision tower and their common beginning, with the same result as read apart."""

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from step1x_edit.models.conditioner import Conditioner

PROMPTS = ["make it red", "", 'make it “red”, and "blue" too', "把它变成红色"]
EQUAL = {"rtol": 0, "atol": 2e-6}


@pytest.fixture(params=["v1.0", "v1.1", "v1.2-preview", "v1.2", "nano"])
def conditioner(tiny, request):
    pipeline = tiny(request.param)
    return Conditioner(
        pipeline.text_encoder,
        pipeline.processor.tokenizer,
        pipeline.processor.image_processor,
        pipeline.conventions,
    )


@pytest.fixture
def picture():
    return Image.radial_gradient("L").resize((80, 64)).convert("RGB")


def test_prompts_read_together_equal_prompts_read_apart(conditioner, picture):
    together = conditioner(picture, PROMPTS, generation=(80, 64))
    for prompt, answer in zip(PROMPTS, together, strict=True):
        (alone,) = conditioner(picture, [prompt], generation=(80, 64))
        assert_close(answer.tokens, alone.tokens, **EQUAL)
        assert torch.equal(answer.positions, alone.positions)
        if answer.text_mask is not None:
            assert torch.equal(answer.text_mask, alone.text_mask)
            assert torch.equal(answer.text_embeddings, alone.text_embeddings)


def test_prompts_read_in_one_pass_without_cache_give_the_same(conditioner, picture):
    rules = conditioner.conventions
    pixels = conditioner.pixels(picture)
    prompt = conditioner.tokenize(PROMPTS[2], picture_tokens=conditioner._picture_tokens(pixels["image_grid_thw"]))
    ids = torch.tensor([prompt.ids])
    with torch.no_grad():
        output = conditioner.model.model(
            input_ids=ids,
            mm_token_type_ids=(ids == conditioner.model.config.image_token_id).int(),
            use_cache=False,
            **pixels,
        )
    answer = conditioner(picture, ["", PROMPTS[2]], generation=(80, 64))[1]
    kept = slice(rules.dropped_tokens, rules.dropped_tokens + rules.max_text_tokens)
    assert_close(answer.tokens, output.last_hidden_state[:, kept], **EQUAL)


def test_the_vision_tower_runs_once_for_all_prompts(conditioner, picture):
    runs = []
    handle = conditioner.model.model.visual.register_forward_hook(lambda *_: runs.append(1))
    conditioner(picture, PROMPTS, generation=(80, 64))
    handle.remove()
    assert len(runs) == 1


def test_the_common_beginning_is_read_once(conditioner, picture):
    lengths = []
    handle = conditioner.model.model.language_model.register_forward_pre_hook(
        lambda _module, _args, kwargs: lengths.append(kwargs["inputs_embeds"].shape[1]), with_kwargs=True
    )
    conditioner(picture, PROMPTS[:2], generation=(80, 64))
    handle.remove()
    grid = conditioner.pixels(picture)["image_grid_thw"]
    whole = [
        len(conditioner.tokenize(prompt, picture_tokens=conditioner._picture_tokens(grid)).ids)
        for prompt in PROMPTS[:2]
    ]
    assert len(lengths) == 3
    assert sum(lengths) == sum(whole) - lengths[0]
    picture_comes_first = conditioner.conventions.layout == "image_first"
    assert (lengths[0] > conditioner.conventions.dropped_tokens + 4) or not picture_comes_first
