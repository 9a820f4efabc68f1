"""The validation of a run: the networks it needs beside the one in training, and what is shown in the network at a validation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import torch
from torch import nn

from step1x_edit.errors import MissingExtra
from step1x_edit.models.checkpoint import load_vae
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.pipeline.assembly import flow_scheduler, load_multimodal_llm, load_processor
from step1x_edit.pipeline.editor import Editor
from step1x_edit.pipeline.weights import WeightPlaces
from step1x_edit.training.config import Method, ValidationConfig
from step1x_edit.training.exports import export_adapter
from step1x_edit.training.methods.packages import training_package
from step1x_edit.training.room import device_with_room
from step1x_edit.training.run.loop import Periodic
from step1x_edit.training.validation import (
    PreviewPipeline,
    SuiteTable,
    Validation,
    ValidationPage,
    showing_adapter,
    showing_weights,
)

__all__ = ["build_previews"]

Showing = Callable[[], AbstractContextManager[None]]


def build_previews(
    settings: ValidationConfig,
    transformer: Step1XEditTransformer2DModel,
    *,
    places: WeightPlaces,
    method: Method,
    device: torch.device,
    folder: Path,
    suite: SuiteTable | None,
    notice: Callable[[str], None],
) -> Periodic | None:
    """Load what validation needs, draw the base model's pictures, and let go of the multimodal LLM.

    Args:
        settings: Cases, how often, and whether a suite is run.
        transformer: The network before its first step, on its device; adapters in place.
        places: Of the release's parts.
        method: What is trained.
        device: Where it is computed.
        folder: For grids.
        suite: Runs the suite that the settings name.
        notice: Hears where each page lies.

    Returns:
        What the loop does now and then, or ``None`` where nothing was asked for.

    Raises:
        RequestError: A case's picture cannot be read.
    """
    suite = suite if settings.suite is not None else None
    if not settings.cases and suite is None:
        return None
    # A later editor computes in bf16, whatever the weights are kept in; adapters are looked at on the base as it lies.
    computed = transformer.dtype if method == "lora" else torch.bfloat16
    assert isinstance(computed, torch.dtype)
    pipeline = _pipeline(transformer, places, computed, device)
    validation = Validation(Editor(pipeline), settings, folder=folder, suite=suite)
    for request in validation.requests():
        pipeline.remember(request)
    if suite is None:
        pipeline.forget_language_model()
    showing = _showing(transformer, method, computed, folder)
    if method == "lora":
        validation.draw_base()
    else:
        with showing():
            validation.draw_base()

    def act(step: int) -> None:
        with showing():
            page = validation.draw(step)
        _to_board(page, folder.parent / "tensorboard")
        notice(f"Validation after step {step}: {page.path}" + (f"\n{page.table}" if page.table else ""))

    return Periodic(every=settings.every, act=act)


def _to_board(page: ValidationPage, folder: Path) -> None:
    """Add a page to the run's curves, where TensorBoard is installed."""
    try:
        board = training_package("torch.utils.tensorboard").SummaryWriter(str(folder))
    except MissingExtra:
        return
    with board:
        board.add_image("validation", np.asarray(page.picture.convert("RGB")), page.step, dataformats="HWC")
        if page.table is not None:
            board.add_text("suite", f"<pre>{page.table}</pre>", page.step)


def _pipeline(
    transformer: Step1XEditTransformer2DModel, places: WeightPlaces, dtype: torch.dtype, device: torch.device
) -> PreviewPipeline:
    vae, text_encoder = load_vae(places.vae, dtype=dtype), load_multimodal_llm(places.text_encoder, dtype=dtype)
    nn.Module.to(vae, device)
    nn.Module.to(text_encoder, device_with_room(text_encoder, device))
    pipeline = PreviewPipeline(
        text_encoder=text_encoder,
        processor=load_processor(places.processor),
        transformer=transformer,
        vae=vae,
        scheduler=flow_scheduler(),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _showing(transformer: Step1XEditTransformer2DModel, method: Method, computed: torch.dtype, folder: Path) -> Showing:
    """Return what puts the weights as they will be loaded later into the network while a block runs."""
    if method == "full":
        exported = transformer.dtype
        assert isinstance(exported, torch.dtype)
        return lambda: showing_weights(transformer, exported=exported, computed=computed)

    def exported_adapter() -> AbstractContextManager[None]:
        file, *_ = export_adapter(transformer, folder / "adapter")
        return showing_adapter(transformer, file)

    return exported_adapter
