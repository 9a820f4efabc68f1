"""Nano's language part: eight-bit files, strict assembly, and what the shipped files do."""

from importlib.resources import files
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from step1x_edit.errors import CheckpointError, MissingRelease
from step1x_edit.models.language_model import LANGUAGE_FILE, VISION_FILE, load_language_model
from step1x_edit.models.quantised import dequantise_rows, quantise_rows, read_quantised, write_quantised

NANO = Path(str(files("step1x_edit") / "nano"))
IMAGE_PAD = 60


@pytest.fixture(scope="module")
def tiny() -> Qwen2_5_VLForConditionalGeneration:
    torch.manual_seed(0)
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 64,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e5, "mrope_section": [2, 3, 3]},
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [0],
        },
        image_token_id=IMAGE_PAD,
        video_token_id=61,
        vision_start_token_id=62,
        vision_end_token_id=63,
        tie_word_embeddings=True,
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


@pytest.fixture
def folder(tiny: Qwen2_5_VLForConditionalGeneration, tmp_path: Path) -> Path:
    tiny.config.save_pretrained(tmp_path)
    state = {name: weight.detach() for name, weight in tiny.state_dict().items() if name != "lm_head.weight"}
    language = {name: weight for name, weight in state.items() if "visual" not in name}
    write_quantised(language, tmp_path / LANGUAGE_FILE, metadata={})
    save_file({name: state[name] for name in state.keys() - language.keys()}, tmp_path / VISION_FILE)
    return tmp_path


def hidden_states(model: Qwen2_5_VLForConditionalGeneration) -> torch.Tensor:
    ids = torch.tensor([[1, 5, 9, 62, IMAGE_PAD, IMAGE_PAD, 63, 7]])
    patches = torch.linspace(-1, 1, 8 * 1176).reshape(8, 1176)
    with torch.no_grad():
        return model.model(
            input_ids=ids,
            pixel_values=patches,
            image_grid_thw=torch.tensor([[1, 2, 4]]),
            mm_token_type_ids=(ids == IMAGE_PAD).int(),
        ).last_hidden_state


def rewrite(path: Path, change) -> None:
    state = load_file(path)
    change(state)
    save_file(state, path)


def test_rounding_moves_no_weight_by_more_than_half_a_step_of_its_row() -> None:
    weight = torch.randn(40, 70) * torch.logspace(-3, 2, 40)[:, None]
    values, scale = quantise_rows(weight)
    error = (dequantise_rows(values, scale) - weight).abs()
    assert (error <= scale[:, None] * 0.5001).all()
    assert torch.allclose(scale, weight.abs().amax(dim=1) / 127)


def test_a_row_of_zeros_stays_zero() -> None:
    assert torch.equal(dequantise_rows(*quantise_rows(torch.zeros(2, 3))), torch.zeros(2, 3))


def test_vectors_are_stored_as_they_are(tmp_path: Path) -> None:
    bias = torch.randn(9)
    write_quantised({"bias": bias}, tmp_path / "file.safetensors", metadata={})
    assert torch.equal(read_quantised(tmp_path / "file.safetensors")["bias"], bias)


def test_writing_leaves_no_partial_file(tmp_path: Path) -> None:
    write_quantised({"w": torch.ones(2, 2)}, tmp_path / "file.safetensors", metadata={"source": "here"})
    assert [path.name for path in tmp_path.iterdir()] == ["file.safetensors"]


def test_the_assembled_model_computes_what_the_stored_weights_mean(
    tiny: Qwen2_5_VLForConditionalGeneration, folder: Path
) -> None:
    loaded = load_language_model(folder)
    reference = Qwen2_5_VLForConditionalGeneration(tiny.config).eval()
    stored = read_quantised(folder / LANGUAGE_FILE) | read_quantised(folder / VISION_FILE)
    reference.load_state_dict(stored, strict=False)
    assert torch.equal(hidden_states(loaded), hidden_states(reference))
    assert loaded.lm_head.weight is loaded.model.language_model.embed_tokens.weight
    assert not any(weight.requires_grad or weight.is_meta for weight in [*loaded.parameters(), *loaded.buffers()])


def test_same_input_gives_same_hidden_states_from_two_loads(folder: Path) -> None:
    assert torch.equal(hidden_states(load_language_model(folder)), hidden_states(load_language_model(folder)))


def test_a_missing_tensor_stops_the_load_with_its_name(folder: Path) -> None:
    rewrite(folder / VISION_FILE, lambda state: state.pop("model.visual.merger.ln_q.weight"))
    with pytest.raises(CheckpointError, match=r"missing.*model\.visual\.merger\.ln_q\.weight"):
        load_language_model(folder)


def test_an_extra_tensor_stops_the_load_with_its_name(folder: Path) -> None:
    rewrite(folder / VISION_FILE, lambda state: state.update(stranger=torch.ones(2)))
    with pytest.raises(CheckpointError, match=r"extra.*stranger"):
        load_language_model(folder)


def test_a_misshaped_tensor_stops_the_load_with_both_shapes(folder: Path) -> None:
    rewrite(folder / VISION_FILE, lambda state: state.update({"model.visual.merger.ln_q.weight": torch.ones(3)}))
    with pytest.raises(CheckpointError, match=r"\[3\] instead of \[16\]"):
        load_language_model(folder)


def test_a_matrix_without_its_scale_is_refused(folder: Path) -> None:
    rewrite(folder / LANGUAGE_FILE, lambda state: state.pop("model.language_model.embed_tokens.weight.row_scale"))
    with pytest.raises(CheckpointError, match="one scale for each"):
        load_language_model(folder)


def test_a_cut_off_file_is_refused(folder: Path) -> None:
    path = folder / LANGUAGE_FILE
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="whole safetensors file"):
        load_language_model(folder)


def test_an_absent_file_is_a_missing_release(folder: Path) -> None:
    (folder / VISION_FILE).unlink()
    with pytest.raises(MissingRelease, match=VISION_FILE):
        load_language_model(folder)


@pytest.mark.parametrize(
    "text",
    [
        "Remove the cat, then write 'GRAND OPENING 2026' on the sign!",
        "  two  spaces\nand a new line",
        "把背景换成蓝色,再加一顶帽子。",
        "café – naïve – 😀",
    ],
)
def test_the_shipped_tokenizer_decodes_what_it_encodes(text: str) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(NANO / "tokenizer")
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_shipped_tokenizer_and_config_agree_on_the_ids() -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(NANO / "tokenizer")
    config = Qwen2_5_VLConfig.from_pretrained(NANO / "text_encoder")
    marks = {
        "<|vision_start|>": config.vision_start_token_id,
        "<|vision_end|>": config.vision_end_token_id,
        "<|image_pad|>": config.image_token_id,
        "<|video_pad|>": config.video_token_id,
    }
    assert {mark: tokenizer.convert_tokens_to_ids(mark) for mark in marks} == marks
    assert len(tokenizer) == config.get_text_config().vocab_size


def test_the_names_of_common_objects_are_single_tokens() -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(NANO / "tokenizer")
    for name in [
        "cat",
        "dog",
        "horse",
        "giraffe",
        "elephant",
        "car",
        "bicycle",
        "apple",
        "banana",
        "umbrella",
        "guitar",
        "flower",
        "tree",
    ]:
        assert len(tokenizer(f" {name}")["input_ids"]) == 1


def test_the_shipped_language_part_has_features_of_unit_scale() -> None:
    from transformers import Qwen2_5_VLTextModel

    prefix = "model.language_model."
    state = read_quantised(NANO / "text_encoder" / LANGUAGE_FILE)
    model = Qwen2_5_VLTextModel(Qwen2_5_VLConfig.from_pretrained(NANO / "text_encoder").text_config).eval()
    model.load_state_dict({name.removeprefix(prefix): weight for name, weight in state.items()}, strict=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(NANO / "tokenizer")
    ids = tokenizer("<|im_start|>user\nEdit the picture: Make the sky dark and 加一只猫", return_tensors="pt")[
        "input_ids"
    ]
    with torch.no_grad():
        features = model(input_ids=ids, use_cache=False).last_hidden_state[0, 6:]
    size = features.square().mean(dim=1).sqrt()
    assert size.min() > 0.5 and size.max() < 3
