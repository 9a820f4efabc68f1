"""A release's parts, wherever they lie on this machine, put together as a pipeline. Nothing is downloaded here."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from step1x_edit.models.checkpoint import load_transformer, load_vae
from step1x_edit.models.language_model import load_language_model
from step1x_edit.models.processor import Step1XEditProcessor
from step1x_edit.pipeline.step1x_edit import Step1XEditPipeline
from step1x_edit.pipeline.weights import locate
from step1x_edit.schema.release import Release

__all__ = ["assemble", "flow_scheduler"]


def assemble(release: Release, *, weights: Path | None = None, dtype: torch.dtype) -> Step1XEditPipeline:
    """Load the parts of a release into a pipeline on the CPU.

    Args:
        release: The release.
        weights: Folder of the weights (diffusers layout, or the published single files); their usual place by default.
        dtype: Type of all networks.

    Raises:
        MissingRelease: A part is not on this machine.
        CheckpointError: A part is broken or does not fit.
    """
    if release.form == "embedded" and weights is None:
        return _assemble_embedded(release, Path(str(files("step1x_edit") / "nano")), dtype)
    parts = locate(release, weights)
    vae = load_vae(parts.vae, dtype=dtype)
    return Step1XEditPipeline(
        text_encoder=Qwen2_5_VLForConditionalGeneration.from_pretrained(
            parts.text_encoder, dtype=dtype, local_files_only=True, use_safetensors=True
        ).eval(),
        processor=Step1XEditProcessor.from_pretrained(parts.processor),
        transformer=load_transformer(parts.transformer, release=release.id, dtype=dtype),
        vae=vae,
        scheduler=flow_scheduler(),
    )


def _assemble_embedded(release: Release, folder: Path, dtype: torch.dtype) -> Step1XEditPipeline:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer", local_files_only=True)
    return Step1XEditPipeline(
        text_encoder=load_language_model(folder / "text_encoder", dtype=dtype),
        processor=Step1XEditProcessor(tokenizer, Qwen2VLImageProcessorPil()),
        transformer=load_transformer(folder / "transformer", release=release.id, dtype=dtype),
        vae=load_vae(folder / "vae", dtype=dtype),
        scheduler=flow_scheduler(),
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
