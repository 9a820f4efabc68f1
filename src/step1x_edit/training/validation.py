"""The validation grid: reference, base model and run side by side, through the real pipeline, as inference will give them.

The run's pictures are made with the exported adapter attached as ``Editor`` attaches it, or with the weights in the type in
which they are exported; a test holds them to the later ``Editor``'s bits. Random states, adapters, gradients' flags and
attention backends are afterwards as they were, so that validation changes nothing in a run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from step1x_edit.models.checkpoint import attach_adapters
from step1x_edit.models.conditioner import Conditioning
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.pipeline.contact_sheet import SheetRow, contact_sheet, sheet_cell
from step1x_edit.pipeline.editor import Editor
from step1x_edit.pipeline.geometry import WorkingFrame
from step1x_edit.pipeline.intake import read_reference
from step1x_edit.pipeline.outcome import encode_picture, save_result, write_atomically
from step1x_edit.pipeline.step1x_edit import Step1XEditPipeline
from step1x_edit.presets.sampling import resolve_sampling
from step1x_edit.schema.edit import EditRequest
from step1x_edit.schema.release import Conventions
from step1x_edit.training.config import ValidationCase, ValidationConfig

__all__ = ["PreviewPipeline", "Validation", "ValidationPage", "adapters_off", "showing_adapter", "showing_weights"]

SuiteTable = Callable[[Editor, Path], str]
"""Runs a suite with an editor, keeps its pictures in a folder, and returns a table as plain text."""


class PreviewPipeline(Step1XEditPipeline):
    """The pipeline with a memory: what the multimodal LLM said once is not asked again, so that it need not stay loaded."""

    def __init__(self, text_encoder: Any, processor: Any, transformer: Any, vae: Any, scheduler: Any) -> None:
        super().__init__(text_encoder, processor, transformer, vae, scheduler)
        self._remembered: dict[str, list[Conditioning]] = {}

    @torch.no_grad()
    def remember(self, request: EditRequest) -> None:
        """Ask the multimodal LLM everything that an edit will need of it; neither transformer nor VAE is used."""
        sampling = resolve_sampling(request, self.release)
        references = self._references(read_reference(request.reference).rgb, 1)
        assert references is not None
        frame = self._frame(references, sampling.size_level, None, None, parity=False)
        negatives = self._negatives(None, 1, guided=sampling.guidance_scale > 1, edit=True)
        self._condition(references, [request.instruction], negatives, frame, self.conventions, parity=False)

    def _condition(
        self,
        references: list[Image.Image] | None,
        prompts: list[str],
        negatives: list[str],
        frame: WorkingFrame,
        conventions: Conventions,
        *,
        parity: bool,
    ) -> list[Conditioning]:
        key = _fingerprint([prompts, negatives, str(frame), [_digest(item) for item in references or ()]])
        if key not in self._remembered:
            args = (references, prompts, negatives, frame, conventions)
            self._remembered[key] = super()._condition(*args, parity=parity)
        return self._remembered[key]

    def forget_language_model(self) -> None:
        """Let go of the multimodal LLM; edits that were remembered still work."""
        self.text_encoder = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationPage:
    """What one validation gave."""

    step: int
    picture: Image.Image
    path: Path
    table: str | None = None
    """Of the suite, where one was asked for."""


class Validation:
    """Draws the grid of a run.

    Args:
        editor: Around a pipeline that holds the network in training.
        settings: Cases, steps, guidance scale and seed.
        folder: For grids and pictures; made when needed.
        suite: Runs the mini suite, where the settings name one.
    """

    def __init__(
        self, editor: Editor, settings: ValidationConfig, *, folder: Path, suite: SuiteTable | None = None
    ) -> None:
        self._editor = editor
        self._settings = settings
        self._folder = folder
        self._suite = suite
        told = settings.model_dump(mode="json", include={"cases", "steps", "guidance_scale", "seed"})
        self._base = folder / f"base-{_fingerprint([told, editor.pipeline.release.id])[:8]}"

    def requests(self) -> list[EditRequest]:
        """Return the edits of the grid: the settings are those of any later edit, but for what the config states."""
        return [self._request(case) for case in self._settings.cases]

    def draw_base(self) -> None:
        """Make the base model's pictures, once a run, with adapters off; under full training before the first step."""
        pipeline = self._editor.pipeline
        networks = [one for one in (pipeline.transformer, pipeline.text_encoder) if one is not None]
        with adapters_off(*networks):
            self._draw(self._base)

    def draw(self, step: int) -> ValidationPage:
        """Make the run's pictures with the weights that are in place, and the page that shows them beside the base model's.

        Args:
            step: Steps that are done.

        Raises:
            NumericalError: The weights give numbers that are not finite.
        """
        name = f"step-{step:06d}"
        made = self._draw(self._folder / name, fresh=True)
        rows = [self._row(case, picture) for case, picture in zip(self._settings.cases, made, strict=True)]
        page = contact_sheet(rows, title=f"{self._editor.pipeline.release.id}, step {step}")
        path = self._folder / f"{name}.png"
        write_atomically(path, encode_picture(page, "PNG", json.dumps({"step": step})), overwrite=True)
        table = None
        if self._suite is not None:
            table = self._suite(self._editor, self._folder / f"{name}-suite")
            write_atomically(self._folder / f"{name}.txt", table.encode(), overwrite=True)
        return ValidationPage(step=step, picture=page, path=path, table=table)

    def _draw(self, folder: Path, *, fresh: bool = False) -> list[Path]:
        paths = []
        for number, request in enumerate(self.requests(), start=1):
            path = folder / f"case-{number}.png"
            if fresh or not path.is_file():
                with as_at_inference(self._editor.pipeline.transformer):
                    save_result(self._editor.edit(request), path, overwrite=True)
            paths.append(path)
        return paths

    def _request(self, case: ValidationCase) -> EditRequest:
        return EditRequest(
            reference=case.image,
            instruction=case.instruction,
            seed=self._settings.seed,
            steps=self._settings.steps,
            guidance_scale=self._settings.guidance_scale,
        )

    def _row(self, case: ValidationCase, made: Path) -> SheetRow:
        shown = {"reference": case.image, "base model": self._base / made.name, "this run": made}
        cells = [_cell(path, label) for label, path in shown.items() if path.is_file()]
        return SheetRow(caption=case.instruction, cells=tuple(cells))


@contextmanager
def as_at_inference(transformer: Step1XEditTransformer2DModel) -> Iterator[None]:
    """Let a network in training compute as a loaded one does; afterwards it is as it was, random states included."""
    training = transformer.training
    processors: list[Any] = [one for one in transformer.attn_processors.values() if hasattr(one, "_attention_backend")]
    backends = [one._attention_backend for one in processors]
    reduced = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    device = next(transformer.parameters()).device
    try:
        transformer.eval()
        for one in processors:
            one._attention_backend = None
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(False)
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng(devices=[device] if device.type == "cuda" else []))
            stack.enter_context(torch.autocast(device.type, enabled=False))
            stack.enter_context(torch.compiler.set_stance("force_eager"))
            yield
    finally:
        transformer.train(training)
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(reduced)
        for one, backend in zip(processors, backends, strict=True):
            one._attention_backend = backend


@contextmanager
def showing_adapter(transformer: Step1XEditTransformer2DModel, file: Path) -> Iterator[None]:
    """Attach an exported adapter instead of the one in training, exactly as ``Editor`` will; take it off afterwards.

    Args:
        transformer: The network in training, with an adapter on it.
        file: What the run exported.
    """
    with _kept_flags(transformer), torch.random.fork_rng(devices=[]):
        learning = transformer.active_adapters()
        (shown,) = attach_adapters(transformer, [(file, 1.0)])
        try:
            yield
        finally:
            transformer.delete_adapters(shown)
            transformer.set_adapters(learning)


@contextmanager
def showing_weights(transformer: nn.Module, *, exported: torch.dtype, computed: torch.dtype) -> Iterator[None]:
    """Round all weights as export and loading will; afterwards they are what they were, to the bit.

    The originals wait in the processor's memory, so that a card holds one copy.

    Args:
        transformer: The network in training.
        exported: Type of the weights in the exported file.
        computed: Type in which an editor will load it.
    """
    parameters = list(transformer.parameters())
    kept = [one.data for one in parameters]
    kept = [data.cpu() if data.is_cuda else data for data in kept]
    devices = [one.device for one in parameters]
    try:
        for one in parameters:
            one.data = one.data.to(exported).to(computed)
        yield
    finally:
        for one, data, device in zip(parameters, kept, devices, strict=True):
            one.data = data.to(device)


@contextmanager
def adapters_off(*networks: nn.Module) -> Iterator[None]:
    """Switch all adapters off: the networks compute exactly as without them."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [one for network in networks for one in network.modules() if isinstance(one, BaseTunerLayer)]
    with ExitStack() as stack:
        for network in networks:
            stack.enter_context(_kept_flags(network))
        before = [one.disable_adapters for one in layers]
        try:
            for one in layers:
                one.enable_adapters(False)
            yield
        finally:
            for one, off in zip(layers, before, strict=True):
                one.enable_adapters(not off)


@contextmanager
def _kept_flags(network: nn.Module) -> Iterator[None]:
    """Restore which parameters learn: peft changes that whenever adapters are switched."""
    learning = [(one, one.requires_grad) for one in network.parameters()]
    try:
        yield
    finally:
        for one, flag in learning:
            one.requires_grad_(flag)


def _cell(path: Path, label: str) -> Any:
    with Image.open(path) as picture:
        picture.load()
        return sheet_cell(picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGB"), label)


def _fingerprint(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _digest(picture: Image.Image) -> str:
    return hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()
