"""A release's parts, wherever they lie on this machine, put together as a pipeline. Nothing is downloaded here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from safetensors import SafetensorError
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from step1x_edit.errors import CheckpointError
from step1x_edit.models.checkpoint import load_transformer, load_vae
from step1x_edit.models.checkpoint.strict import listed
from step1x_edit.models.language_model import LANGUAGE_FILE, load_language_model
from step1x_edit.models.processor import Step1XEditProcessor
from step1x_edit.pipeline.step1x_edit import Step1XEditPipeline
from step1x_edit.pipeline.weights import locate
from step1x_edit.schema.release import Release

__all__ = ["assemble", "flow_scheduler", "load_multimodal_llm", "load_processor"]


def assemble(release: Release, *, weights: Path | None = None, dtype: torch.dtype) -> Step1XEditPipeline:
    """Load the parts of a release into a pipeline on the CPU.

    Args:
        release: The release.
        weights: A transformer's file or folder, or a folder of the whole release (diffusers layout, or the published
            single files); what it does not hold comes from the usual place.
        dtype: Type of all networks.

    Raises:
        MissingRelease: A part is not on this machine.
        CheckpointError: A part is broken or does not fit.
    """
    parts = locate(release, weights)
    transformer = load_transformer(parts.transformer, release=release.id, dtype=dtype)
    return Step1XEditPipeline(
        text_encoder=load_multimodal_llm(parts.text_encoder, dtype=dtype),
        processor=load_processor(parts.processor),
        transformer=transformer,
        vae=load_vae(parts.vae, dtype=dtype),
        scheduler=flow_scheduler(),
    )


def load_multimodal_llm(folder: Path, *, dtype: torch.dtype) -> Qwen2_5_VLForConditionalGeneration:
    """Load the multimodal LLM of a folder, in evaluation mode on the CPU.

    Raises:
        CheckpointError: It is broken or incomplete.
    """
    if (folder / LANGUAGE_FILE).is_file():
        return load_language_model(folder, dtype=dtype)
    try:
        loaded: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _broken(folder, " ".join(str(error).split())[:200]) from error
    model, report = loaded
    if report["missing_keys"]:  # transformers would leave them at random values.
        raise _broken(folder, f"it lacks {listed(sorted(report['missing_keys']))}")
    return model.eval()


def load_processor(folder: Path) -> Step1XEditProcessor:
    """Read the processor; where only a tokenizer was stored, the picture part has Qwen's own settings."""
    try:
        if (folder / "preprocessor_config.json").is_file():
            return Step1XEditProcessor.from_pretrained(folder)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise _broken(folder, " ".join(str(error).split())[:200]) from error
    return Step1XEditProcessor(tokenizer, Qwen2VLImageProcessorPil())


def _broken(folder: Path, why: str) -> CheckpointError:
    return CheckpointError(
        given=f"the multimodal LLM in {folder}, which cannot be loaded: {why}",
        expected="a complete Qwen2.5-VL in safetensors with its tokenizer",
        remedy="Fetch it again; `step1x verify RELEASE` names every file that is broken.",
    )


def flow_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Return the scheduler of the published folders.

    Source:
        FLUX.1-dev's ``scheduler_config.json``, copied by the published conversion.
    """
    return FlowMatchEulerDiscreteScheduler(
        num_train_timesteps=1000,
        shift=3.0,
        use_dynamic_shifting=True,
        base_shift=0.5,
        max_shift=1.15,
        base_image_seq_len=256,
        max_image_seq_len=4096,
    )
