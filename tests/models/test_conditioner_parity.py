"""The conditioner equals the released ones: ids and masks exactly, hidden states within 1e-4 (a tiny Qwen2.5-VL)."""

from pathlib import Path

import pytest
import torch
from accelerate import init_empty_weights
from PIL import Image
from torch.testing import assert_close
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from step1x_edit.models.conditioner import Conditioner
from step1x_edit.presets.releases import find_release

VECTORS = Path(__file__).parents[1] / "vectors"
HIDDEN = {"rtol": 0, "atol": 1e-4}
OFFICIAL = ("p0_english", "p1_chinese", "p2_quotes", "p3_long")
V1_2 = OFFICIAL[:3]


@pytest.fixture(scope="module")
def tokenizer():
    return PreTrainedTokenizerFast(tokenizer_file=str(VECTORS / "qwen_tokenizer_subset.json"))


@pytest.fixture(scope="module")
def llm(vector):
    sizes = vector("conditioner_qwen_tiny_config.json")
    text = {name: value for name, value in sizes["text"].items() if name not in ("rope_theta", "rope_scaling")}
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sizes["text"]["rope_scaling"]["mrope_section"]}
    ids = {name: value for name, value in sizes["special_ids"].items() if name.endswith("token_id")}
    config = Qwen2_5_VLConfig(
        text_config={**text, "rope_parameters": rope}, vision_config=sizes["vision"], tie_word_embeddings=True, **ids
    )
    with init_empty_weights():
        model = Qwen2_5_VLForConditionalGeneration(config)
    weights = dict(vector("conditioner_qwen_tiny_weights.safetensors"))
    rows, table = weights.pop("embed_tokens_rows.ids"), torch.zeros(sizes["text"]["vocab_size"], 40)
    table[rows] = weights.pop("embed_tokens_rows.weight")
    weights["model.language_model.embed_tokens.weight"] = table
    missing, extra = model.load_state_dict(weights, strict=False, assign=True)
    assert set(missing) <= {"lm_head.weight"} and not extra
    model.tie_weights()
    return model.eval()


def conditioner(llm, tokenizer, release, **options):
    return Conditioner(llm, tokenizer, Qwen2VLImageProcessorPil(), find_release(release).conventions, **options)


def picture(values):
    return Image.fromarray(values["image_uint8_hwc"].numpy())


@pytest.mark.parametrize("release", ["v1.0", "v1.1"])
def test_token_ids_of_v1_0_and_v1_1_equal_the_released_ones(tokenizer, llm, vector, release):
    values, texts = vector("conditioner_official.safetensors"), vector("conditioner_official_text.json")
    read = conditioner(llm, tokenizer, release, parity=True)
    for name in OFFICIAL:
        prompt = read.tokenize(texts[name]["prompt"], picture_tokens=270)
        assert prompt.ids == values[f"{name}.input_ids"][0].tolist(), name


@pytest.mark.parametrize("release", ["v1.2-preview", "v1.2"])
def test_token_ids_of_v1_2_equal_the_released_ones(tokenizer, llm, vector, release):
    values, texts = vector("conditioner_fork_v1p2.safetensors"), vector("conditioner_fork_v1p2_text.json")
    read = conditioner(llm, tokenizer, release, parity=True)
    for name in V1_2:
        prompt = read.tokenize(texts[name]["prompt"], picture_tokens=270)
        assert prompt.ids == values[f"{name}.input_ids"][0].tolist(), name


def test_balanced_quotes_are_read_alike_with_and_without_parity(tokenizer, llm, vector):
    for release, texts in (("v1.1", "conditioner_official_text.json"), ("v1.2", "conditioner_fork_v1p2_text.json")):
        released, fixed = (conditioner(llm, tokenizer, release, parity=parity) for parity in (True, False))
        for case in vector(texts).values():
            prompts = [read.tokenize(case["prompt"], picture_tokens=9) for read in (released, fixed)]
            assert prompts[0] == prompts[1]


@pytest.mark.parametrize("parity", [True, False])
def test_conditioning_of_v1_0_and_v1_1_equals_the_released_one(tokenizer, llm, vector, parity):
    values, texts = vector("conditioner_official.safetensors"), vector("conditioner_official_text.json")
    read = conditioner(llm, tokenizer, "v1.1", parity=parity)
    answers = read(picture(values), [texts[name]["prompt"] for name in OFFICIAL], generation=(176, 144))
    for name, answer in zip(OFFICIAL, answers, strict=True):
        hidden = values[f"{name}.last_hidden_state_fp32"][:, 217:857]
        assert_close(answer.tokens, hidden, **HIDDEN)
        mask = torch.nn.functional.pad(answer.mask, (0, 640 - answer.mask.shape[1]))
        assert torch.equal(mask, values[f"{name}.masks"])
        assert not answer.positions.any() and answer.text_mask is None


@pytest.mark.parametrize("parity", [True, False])
def test_conditioning_of_v1_2_equals_the_released_one(tokenizer, llm, vector, parity):
    values, texts = vector("conditioner_fork_v1p2.safetensors"), vector("conditioner_fork_v1p2_text.json")
    read = conditioner(llm, tokenizer, "v1.2", parity=parity)
    answers = read(picture(values), [texts[name]["prompt"] for name in V1_2], generation=(176, 144))
    for name, answer in zip(V1_2, answers, strict=True):
        assert_close(answer.tokens, values[f"{name}.last_hidden_state_fp32"][:, 90:], **HIDDEN)
        assert torch.equal(answer.mask, values[f"{name}.mask"])
        assert torch.equal(answer.text_mask, values[f"{name}.text_masks"])
        assert_close(answer.positions, values[f"{name}.txt_ids"], **HIDDEN)
        embeddings = values[f"{name}.text_embeds_bf16"]
        assert_close(answer.text_embeddings.bfloat16(), embeddings, rtol=0.01, atol=1e-4)


@pytest.mark.parametrize(("file", "release"), [("official", "v1.1"), ("fork_v1p2", "v1.2")])
@pytest.mark.parametrize("parity", [True, False])
def test_rotary_positions_inside_the_llm_equal_the_released_ones(tokenizer, llm, vector, file, release, parity):
    values, texts = vector(f"conditioner_{file}.safetensors"), vector(f"conditioner_{file}_text.json")
    read = conditioner(llm, tokenizer, release, parity=parity)
    for name, case in texts.items():
        seen = []
        handle = llm.model.language_model.register_forward_pre_hook(
            lambda _module, _args, kwargs, seen=seen: seen.append(kwargs["position_ids"]), with_kwargs=True
        )
        read(picture(values), [case["prompt"]], generation=(176, 144))
        handle.remove()
        assert torch.equal(torch.cat(seen, dim=2)[-3:], values[f"{name}.mrope_position_ids"])


def test_an_instruction_too_long_loses_its_end(tokenizer, llm, vector):
    values, texts = vector("conditioner_official.safetensors"), vector("conditioner_official_text.json")
    read = conditioner(llm, tokenizer, "v1.0")
    (answer,) = read(picture(values), [texts["p3_long"]["prompt"]], generation=(176, 144))
    assert answer.tokens.shape[1] == 640
    assert values["p3_long.masks"].sum() == 640


def test_a_free_exclamation_mark_is_hidden_from_the_others_only_in_parity(tokenizer, llm, vector):
    image = picture(vector("conditioner_official.safetensors"))
    released, fixed = (conditioner(llm, tokenizer, "v1.1", parity=parity) for parity in (True, False))
    prompt = fixed.tokenize("Make it blue!", picture_tokens=270)
    assert prompt.ids.count(0) == 1
    place = prompt.ids.index(0) - 217
    answers = [read(image, ["Make it blue!"], generation=(176, 144))[0].tokens for read in (released, fixed)]
    assert_close(answers[0][:, :place], answers[1][:, :place], **HIDDEN)
    assert (answers[0][:, place + 1 :] - answers[1][:, place + 1 :]).abs().max() > 1e-2


def test_an_apostrophe_swallows_the_chat_tail_only_in_parity(tokenizer, llm):
    instruction = "Add pendant with a ruby around this girl's neck."
    released, fixed = (
        conditioner(llm, tokenizer, "v1.0", parity=parity).tokenize(instruction, picture_tokens=4).ids
        for parity in (True, False)
    )
    assert fixed[-5:] == [151645, 198, 151644, 77091, 198]
    assert 151645 not in released[-60:] and len(released) > len(fixed)
