"""``Editor``: the object a Python user holds. One release, loaded once, editing as often as asked."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from step1x_edit import __version__
from step1x_edit.errors import RequestError
from step1x_edit.models.checkpoint import attach_adapters
from step1x_edit.pipeline.assembly import assemble
from step1x_edit.pipeline.geometry import exact_frame, released_frame
from step1x_edit.pipeline.intake import ReferenceImage, read_reference
from step1x_edit.pipeline.step1x_edit import Step1XEditPipeline
from step1x_edit.presets.releases import find_release
from step1x_edit.presets.sampling import resolve_sampling
from step1x_edit.schema.edit import AdapterUse, EditRequest, EditResult, ResolvedSettings
from step1x_edit.schema.release import ReleaseDefaults

__all__ = ["Editor", "Interrupted", "choose_device", "choose_dtype"]

StepReport = Callable[[int, int], None]
"""Called after each step with the number of steps done and to do."""


class Interrupted(KeyboardInterrupt):
    """The caller asked to stop; no picture was finished."""


class Editor:
    """Edit pictures with one release.

    Args:
        pipeline: A loaded pipeline; :meth:`from_release` makes one.
        adapters: Adapters attached to it, for the record.
        weights: Where the weights came from, for the record.
        parity: Do by accident what the released code does by accident.

    Example:
        >>> from step1x_edit import Editor
        >>> result = Editor.from_release("nano").edit("photo.jpg", "make it night")
        >>> result.image.save("night.png")
    """

    def __init__(
        self,
        pipeline: Step1XEditPipeline,
        *,
        adapters: Sequence[AdapterUse] = (),
        weights: Path | None = None,
        parity: bool = False,
    ) -> None:
        self.pipeline = pipeline
        self.adapters = tuple(adapters)
        self.weights = weights
        self.parity = parity

    @classmethod
    def from_release(
        cls,
        release_id: str = "nano",
        *,
        weights: Path | None = None,
        device: str | None = None,
        dtype: str | None = None,
        adapters: Sequence[tuple[Path, float]] = (),
        parity: bool = False,
    ) -> Editor:
        """Load a release that is on this machine; nothing is downloaded.

        Args:
            release_id: One of ``step1x releases``.
            weights: Folder or file of the weights, where they are not in their usual place.
            device: "cpu", "cuda", "mps"...; the fastest at hand by default.
            dtype: "bfloat16", "float32" or "float16"; what suits the device by default.
            adapters: LoRA files and their strengths.
            parity: Reproduce the released code's accidents.

        Raises:
            MissingRelease: The id is unknown, or the weights are not on this machine.
            CheckpointError: The weights are broken or belong to something else.
        """
        release = find_release(release_id)
        chosen = choose_device(device)
        pipeline = assemble(
            release, weights=weights, dtype=choose_dtype(dtype, chosen, embedded=release.form == "embedded")
        )
        attach_adapters(pipeline.transformer, adapters)
        pipeline.set_progress_bar_config(disable=True)
        uses = [AdapterUse(path=path, scale=scale, sha256=_digest(path)) for path, scale in adapters]
        return cls(pipeline.to(chosen), adapters=uses, weights=weights, parity=parity)

    def edit(
        self,
        request: EditRequest | str | Path | bytes | Image.Image,
        instruction: str | None = None,
        *,
        on_step: StepReport | None = None,
        should_stop: Callable[[], bool] | None = None,
        **settings: Any,
    ) -> EditResult:
        """Edit one picture.

        Args:
            request: A whole request, or the reference image (path, bytes or picture) with the instruction beside it.
            instruction: The edit in words, English or Chinese.
            on_step: Told the steps done and to do.
            should_stop: Asked after each step.
            settings: Further fields of :class:`EditRequest`: ``seed``, ``steps``, ``guidance_scale``, ``size_level``...

        Returns:
            The edited picture or pictures at exactly the reference image's size, and everything that decided them.

        Raises:
            RequestError: The request or the picture cannot be used.
            NumericalError: A number that is not finite came up.
            Interrupted: ``should_stop`` said so.
        """
        if not isinstance(request, EditRequest):
            source = Path(request) if isinstance(request, str) else request
            request = EditRequest(reference=source, instruction=instruction or "", **settings)
        reference = read_reference(request.reference)
        started = time.monotonic()
        resolved = self._resolve(request, reference)
        images = self._run(request, reference, resolved, on_step, should_stop)
        if reference.alpha is not None:
            for image in images:
                image.putalpha(reference.alpha)
        return EditResult(
            images=tuple(images),
            instruction=request.instruction,
            reference_path=reference.path,
            reference_sha256=reference.sha256,
            settings=resolved,
            seconds=round(time.monotonic() - started, 3),
        )

    def _run(
        self,
        request: EditRequest,
        reference: ReferenceImage,
        resolved: ResolvedSettings,
        on_step: StepReport | None,
        should_stop: Callable[[], bool] | None,
    ) -> list[Image.Image]:
        def after_step(_pipeline: Any, step: int, _timestep: Any, _tensors: Any) -> None:
            if on_step is not None:
                on_step(step + 1, resolved.steps)
            if should_stop is not None and should_stop():
                raise Interrupted

        explicit = request.width is not None
        (images,) = self.pipeline(
            reference.rgb,
            request.instruction,
            resolved.negative_instruction,
            num_inference_steps=resolved.steps,
            true_cfg_scale=resolved.guidance_scale,
            size_level=resolved.size_level,
            width=resolved.width if explicit else None,
            height=resolved.height if explicit else None,
            num_images_per_prompt=request.images_per_instruction,
            generator=torch.Generator().manual_seed(resolved.seed),
            callback_on_step_end=after_step,
            parity=self.parity,
            return_dict=False,
        )
        return images

    def _resolve(self, request: EditRequest, reference: ReferenceImage) -> ResolvedSettings:
        """Fill in everything the request leaves open."""
        release = self.pipeline.release
        if request.release not in (None, release.id):
            raise RequestError(
                given=f"a request for release {request.release} to an editor of {release.id}",
                expected=release.id,
                remedy=f'Load it with Editor.from_release("{request.release}").',
            )
        sampling = resolve_sampling(request, release)
        width, height = self._working_size(request, reference, sampling)
        negative = request.negative_instruction
        return ResolvedSettings(
            release=release.id,
            weights=self.weights,
            seed=secrets.randbits(32) if request.seed is None else request.seed,
            steps=sampling.steps,
            guidance_scale=sampling.guidance_scale,
            size_level=None if request.width else sampling.size_level,
            width=width,
            height=height,
            images_per_instruction=request.images_per_instruction,
            negative_instruction=self.pipeline.conventions.negative_instruction if negative is None else negative,
            parity=self.parity,
            adapters=self.adapters,
            device=str(self.pipeline.device),
            dtype=str(self.pipeline.transformer.dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
            package_version=__version__,
            torch_version=str(torch.__version__),
        )

    def _working_size(
        self, request: EditRequest, reference: ReferenceImage, sampling: ReleaseDefaults
    ) -> tuple[int, int]:
        if request.width is not None and request.height is not None:
            return request.width, request.height
        build = released_frame if self.parity else exact_frame
        return build(reference.width, reference.height, size_level=sampling.size_level).canvas


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def choose_device(name: str | None) -> torch.device:
    """Return the named device, or the fastest at hand.

    Raises:
        RequestError: This machine does not have it.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError):
        raise RequestError(
            given=f"the device {name!r}",
            expected="a device of this machine, such as cpu",
            remedy="Leave --device out to take the fastest one at hand.",
        ) from None


_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32, "float16": torch.float16}


def choose_dtype(name: str | None, device: torch.device, *, embedded: bool) -> torch.dtype:
    """Return the named dtype, or bfloat16, except for small networks (``embedded``) on processors that only emulate it.

    Raises:
        RequestError: It is none of bfloat16, float16 and float32.
    """
    if name is None:
        slow = device.type == "cpu" and embedded and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return torch.float32 if slow else torch.bfloat16
    if name not in _DTYPES:
        raise RequestError(
            given=f"the dtype {name!r}", expected=f"one of {', '.join(_DTYPES)}", remedy="Leave --dtype out."
        )
    return _DTYPES[name]
