"""What makes the pictures: release, device, adapters from the command line → a loaded ``Editor``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from step1x_edit.apps.settings import read_settings
from step1x_edit.errors import RequestError
from step1x_edit.presets.releases import find_release
from step1x_edit.presets.sampling import resolve_sampling
from step1x_edit.schema.edit import EditParameters, EditRequest

if TYPE_CHECKING:
    from step1x_edit.pipeline.editor import Editor

__all__ = ["Engine", "already_made", "load_editor", "parse_adapter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One way to make pictures."""

    release: str = "nano"
    weights: Path | None = None
    device: str | None = None
    dtype: str | None = None
    threads: int | None = None
    adapters: tuple[tuple[Path, float], ...] = ()
    parity: bool = False

    def __post_init__(self) -> None:
        find_release(self.release)


def parse_adapter(text: str) -> tuple[Path, float]:
    """Read ``PATH`` or ``PATH:SCALE``.

    Raises:
        RequestError: The file does not exist.
    """
    path, colon, scale = text.rpartition(":")
    try:
        adapter = (Path(path), float(scale)) if colon else (Path(text), 1.0)
    except ValueError:  # The colon belongs to the path, as in C:\style.safetensors.
        adapter = Path(text), 1.0
    if not adapter[0].is_file():
        raise RequestError(
            given=f"the adapter {adapter[0]}, a file that does not exist",
            expected="a LoRA in safetensors, as PATH or PATH:SCALE",
            remedy="Check the path behind --lora.",
        )
    return adapter


def load_editor(engine: Engine) -> Editor:
    """Load a release and keep the libraries below quiet; errors still come through.

    Raises:
        MissingRelease: The weights are not on this machine.
        CheckpointError: A weight file is broken.
        RequestError: Device, dtype or threads cannot be had.
    """
    import torch
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    from step1x_edit.pipeline.editor import Editor

    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
    settings = read_settings()
    threads = engine.threads or settings.threads
    if threads:
        torch.set_num_threads(threads)
    return Editor.from_release(
        engine.release,
        weights=engine.weights,
        device=engine.device or settings.device,
        dtype=engine.dtype,
        adapters=engine.adapters,
        parity=engine.parity,
    )


def already_made(parameters: EditParameters, request: EditRequest, engine: Engine, reference_sha256: str) -> bool:
    """Whether a result with these parameters is what the request asks of the engine.

    What the command line leaves open (device, dtype, threads) may differ; versions may too.
    """
    made = parameters.settings
    sampling = resolve_sampling(request, find_release(engine.release))
    adapters = [(path.resolve(), scale) for path, scale in engine.adapters]
    wanted = {
        "instruction": (request.instruction, parameters.instruction),
        "reference": (reference_sha256, parameters.reference_sha256),
        "release": (engine.release, made.release),
        "weights": (engine.weights, made.weights),
        "seed": (request.seed, made.seed),
        "steps": (sampling.steps, made.steps),
        "guidance": (sampling.guidance_scale, made.guidance_scale),
        "size": (sampling.size_level, made.size_level),
        "adapters": (adapters, [(adapter.path.resolve(), adapter.scale) for adapter in made.adapters]),
        "parity": (engine.parity, made.parity),
        "negative": (request.negative_instruction or made.negative_instruction, made.negative_instruction),
        "dtype": (engine.dtype or made.dtype, made.dtype),
        "device": ((engine.device or made.device).removesuffix(":0"), made.device.removesuffix(":0")),
        "threads": (engine.threads or made.threads, made.threads),
    }
    return all(asked == found for asked, found in wanted.values())
