"""Tokenizer and picture processor of the multimodal LLM, saved and loaded as one component.

transformers' own combined processor for Qwen2.5-VL cannot be built without torchvision (its video part); this one holds the
two parts that are used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.processing_utils import ProcessorMixin

__all__ = ["Step1XEditProcessor"]


class Step1XEditProcessor(ProcessorMixin):
    """A tokenizer and an image processor.

    Args:
        tokenizer: Tokenizer of the multimodal LLM.
        image_processor: Its image processor in the PIL form.
    """

    def __init__(self, tokenizer: Any, image_processor: Qwen2VLImageProcessorPil) -> None:
        self.tokenizer = tokenizer
        self.image_processor = image_processor

    def save_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride] - hub options have no use here
        self, save_directory: str | Path, **_options: Any
    ) -> None:
        """Write both parts into one folder."""
        self.tokenizer.save_pretrained(save_directory)
        self.image_processor.save_pretrained(save_directory)

    @classmethod
    def from_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride] - hub options have no use here
        cls, pretrained_model_name_or_path: str | Path, *, subfolder: str = "", **_options: Any
    ) -> Step1XEditProcessor:
        """Read both parts from a folder on this machine; nothing is downloaded."""
        folder = Path(pretrained_model_name_or_path) / subfolder
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        image_processor = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)
        return cls(tokenizer, image_processor)
