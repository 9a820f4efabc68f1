"""Asks a multimodal LLM of Qwen2.5-VL's family that transformers runs on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from step1x_edit.errors import RequestError
from step1x_edit.experts.multimodal_chat import Reply
from step1x_edit.models.fingerprint import weights_fingerprint
from step1x_edit.models.processor import Step1XEditProcessor

__all__ = ["LocalChat"]

MODEL_TYPE = "qwen2_5_vl"
SYSTEM = "You are a helpful assistant."
"""The system turn of Qwen's chat template where none is given."""
PICTURE = "<|image_pad|>"


class LocalChat:
    """The model in a folder; it answers greedily, so the same question gets the same answer.

    Args:
        folder: The model as transformers saves it, with tokenizer and picture processor; nothing is downloaded.
        device: Such as cpu or cuda; a card if there is one by default.
        dtype: bfloat16, float16 or float32; by default float16 on a card, float32 on a processor.
        max_tokens: Longest answer.

    Raises:
        RequestError: The folder holds no such model, or the device cannot be had.
    """

    def __init__(
        self, folder: Path, *, device: str | None = None, dtype: str | None = None, max_tokens: int = 512
    ) -> None:
        place = _device(device)
        self.dtype = dtype or ("float16" if place.type == "cuda" else "float32")
        self._model = _load(folder, self.dtype).to(place).eval()
        parts = Step1XEditProcessor.from_pretrained(folder)
        self._tokenizer, self._image_processor = parts.tokenizer, parts.image_processor
        self._max_tokens = max_tokens

    @property
    def fingerprint(self) -> str:
        """Short name of the weights, from a few values of each."""
        # Quantised weights are buffers, not parameters.
        return weights_fingerprint(self._model.state_dict().items())

    @torch.no_grad()
    def reply(self, question: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]] = ()) -> Reply:
        """Return the answer to a question about pictures, which stand before it in their order."""
        shown = self._shown(pictures)
        ids = self._ids(question, shown)
        made: Any = self._model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            # Where pictures lie among the tokens, for their positions in three dimensions.
            mm_token_type_ids=(ids == self._picture_id).long(),
            **shown,
            do_sample=False,
            max_new_tokens=self._max_tokens,
            eos_token_id=self._end_id,
            pad_token_id=self._end_id,
        )
        said = made[0, ids.shape[1] :]
        text = self._tokenizer.decode(said, skip_special_tokens=True)
        return Reply(text=text, cut=len(said) >= self._max_tokens and int(said[-1]) != self._end_id)

    def _shown(self, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> dict[str, Tensor]:
        if not pictures:
            return {}
        images = [Image.fromarray(pixels) for pixels in pictures]
        read = dict(self._image_processor(images=images, return_tensors="pt"))
        read["pixel_values"] = read["pixel_values"].to(self._model.dtype)
        return {name: values.to(self._model.device) for name, values in read.items()}

    def _ids(self, question: str, shown: dict[str, Tensor]) -> Tensor:
        merged = self._image_processor.merge_size**2
        counts = [int(grid.prod()) // merged for grid in shown.get("image_grid_thw", torch.empty(0, 3))]
        places = "".join(f"<|vision_start|>{PICTURE * count}<|vision_end|>" for count in counts)
        before = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{places}"
        # What an instruction says is never taken for a special token.
        parts = (before, question, "<|im_end|>\n<|im_start|>assistant\n")
        ids = [
            token
            for part, words in zip(parts, (False, True, False), strict=True)
            for token in self._tokenizer(part, add_special_tokens=False, split_special_tokens=words)["input_ids"]
        ]
        return torch.tensor([ids], device=self._model.device)

    @property
    def _picture_id(self) -> int:
        return self._tokenizer.convert_tokens_to_ids(PICTURE)

    @property
    def _end_id(self) -> int:
        return self._tokenizer.convert_tokens_to_ids("<|im_end|>")


def _load(folder: Path, dtype: str) -> Any:
    from transformers import AutoConfig, Qwen2_5_VLForConditionalGeneration

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as fault:
        raise _unusable(folder, "in which there is no model that transformers knows") from fault
    if config.model_type != MODEL_TYPE:
        raise _unusable(folder, f"a model of the kind {config.model_type}")
    try:
        return Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=getattr(torch, dtype)
        )
    except (OSError, ImportError) as fault:
        raise _unusable(folder, f"which cannot be loaded ({str(fault).splitlines()[0]})") from fault


def _device(name: str | None) -> torch.device:
    try:
        return torch.empty(0, device=name or ("cuda" if torch.cuda.is_available() else "cpu")).device
    except (RuntimeError, AssertionError) as fault:
        raise RequestError(
            given=f"the device {name}", expected="one of this machine", remedy="Choose another --device, such as cpu."
        ) from fault


def _unusable(folder: Path, why: str) -> RequestError:
    return RequestError(
        given=f"{folder}, {why}",
        expected="a folder with Qwen2.5-VL as safetensors, its tokenizer and its picture processor",
        remedy="Give the folder of such a model, or ask one behind an address with --judge-url.",
    )
