"""Nano's multimodal LLM: transformers' Qwen2.5-VL class at 47 million parameters, built from its folder in 0.1 s.

The folder holds ``config.json``, ``language.safetensors`` (frozen, eight bits) and ``vision.safetensors`` (the small
vision tower, trained). The class is the one every other release uses, so the conditioner does not know the difference.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from step1x_edit.errors import MissingRelease
from step1x_edit.models.checkpoint.strict import require_match
from step1x_edit.models.quantised import read_quantised

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration

__all__ = ["LANGUAGE_FILE", "VISION_FILE", "load_language_model"]

LANGUAGE_FILE = "language.safetensors"
VISION_FILE = "vision.safetensors"
TIED = "lm_head.weight"
"""Shares the token table, so it is in no file."""


def load_language_model(folder: Path, *, dtype: torch.dtype = torch.float32) -> Qwen2_5_VLForConditionalGeneration:
    """Assemble the multimodal LLM from its two weight files.

    The network is laid out without memory and takes the read tensors as they are, so nothing is initialised twice.

    Args:
        folder: Holds ``config.json``, ``language.safetensors`` and ``vision.safetensors``.
        dtype: Type of all weights.

    Returns:
        The model in evaluation mode, without gradients, on the CPU.

    Raises:
        MissingRelease: The folder or one of its files is absent.
        CheckpointError: A tensor is missing, extra or misshaped; the message lists them.
    """
    from accelerate import init_empty_weights
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    if not (folder / "config.json").is_file():
        raise MissingRelease(
            given=str(folder),
            expected="a folder with config.json",
            remedy="Install the package again, or give its folder.",
        )
    with init_empty_weights():
        model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_pretrained(folder))
    state: dict[str, Tensor] = {}
    for name in (LANGUAGE_FILE, VISION_FILE):
        state |= read_quantised(folder / name, dtype=dtype)
    require_match(
        path=folder,
        expected={name: tuple(weight.shape) for name, weight in model.state_dict().items() if name != TIED},
        found={name: tuple(weight.shape) for name, weight in state.items()},
        remedy="Take all files of the folder from the same package.",
    )
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    return model.requires_grad_(False).eval()
