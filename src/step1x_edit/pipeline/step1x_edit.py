"""``Step1XEditPipeline``: reference image and instruction to edited picture (paper Fig. 4 as a loop)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLForConditionalGeneration

from step1x_edit.errors import RequestError
from step1x_edit.models.conditioner import Conditioner, Conditioning
from step1x_edit.models.processor import Step1XEditProcessor
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.models.vae import decode_latents, encode_pixels
from step1x_edit.pipeline.denoising import GuidedFlow, plan_calls
from step1x_edit.pipeline.detail import carry_back
from step1x_edit.pipeline.geometry import WorkingFrame, exact_frame, released_frame
from step1x_edit.pipeline.picture_inputs import TEXT_TO_IMAGE_PX, llm_picture, no_picture, vae_pixels
from step1x_edit.presets.releases import find_release
from step1x_edit.sampling.packing import pack_latents, unpack_latents
from step1x_edit.sampling.positions import grid_positions
from step1x_edit.sampling.resolution import GRID_PX
from step1x_edit.sampling.schedule import schedule_shift
from step1x_edit.schema.release import Conventions, Release

__all__ = ["Step1XEditPipeline", "Step1XEditPipelineOutput"]

_LONGEST_SHAPE = 180
"""Longest side to shortest; the multimodal LLM's image processor refuses 200, and padding to the grid comes on top."""
_OUTPUT_TYPES = ("pil", "np", "pt", "latent")


@dataclass
class Step1XEditPipelineOutput(BaseOutput):
    """Pictures of one call.

    Attributes:
        images: PIL pictures, an array or a tensor, by ``output_type``; the pictures of one prompt stand together.
    """

    images: list[Image.Image] | np.ndarray | Tensor


class Step1XEditPipeline(DiffusionPipeline):
    """Edit pictures by instruction with any Step1X-Edit release; make pictures from text where the release can.

    What distinguishes releases is read from the transformer's config (its ``release`` and ``conventions``).

    Args:
        text_encoder: The multimodal LLM.
        processor: Its tokenizer and image processor.
        transformer: The diffusion transformer with the connector inside.
        vae: The autoencoder.
        scheduler: Flow matching with dynamic shifting.
    """

    model_cpu_offload_seq = "text_encoder->transformer->vae"
    _callback_tensor_inputs = ["latents"]  # noqa: RUF012 - diffusers reads a class attribute of this type

    def __init__(
        self,
        text_encoder: Qwen2_5_VLForConditionalGeneration,
        processor: Step1XEditProcessor,
        transformer: Step1XEditTransformer2DModel,
        vae: AutoencoderKL,
        scheduler: FlowMatchEulerDiscreteScheduler,
    ) -> None:
        super().__init__()
        self.register_modules(
            text_encoder=text_encoder, processor=processor, transformer=transformer, vae=vae, scheduler=scheduler
        )
        self._interrupt = False

    @property
    def release(self) -> Release:
        """The release whose weights these are."""
        return find_release(self.transformer.config.release)

    @property
    def conventions(self) -> Conventions:
        """How the weights expect their inputs, as stored with them."""
        stored = self.transformer.config.conventions
        return Conventions.model_validate(dict(stored)) if stored else self.release.conventions

    @property
    def interrupt(self) -> bool:
        """Set to true by a callback to leave the loop after the current step."""
        return self._interrupt

    @torch.no_grad()
    def __call__(
        self,
        image: Image.Image | Sequence[Image.Image] | None = None,
        prompt: str | Sequence[str] = "",
        negative_prompt: str | Sequence[str] | None = None,
        *,
        num_inference_steps: int | None = None,
        true_cfg_scale: float | None = None,
        size_level: int | None = None,
        height: int | None = None,
        width: int | None = None,
        num_images_per_prompt: int = 1,
        generator: torch.Generator | list[torch.Generator] | None = None,
        latents: Tensor | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: Callable[[Any, int, Tensor, dict[str, Tensor]], dict[str, Tensor] | None] | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        parity: bool = False,
    ) -> Step1XEditPipelineOutput | tuple[Any]:
        """Edit pictures, or make them when there is no ``image`` and the release can.

        Args:
            image: Reference image, or one for each prompt; all of them at one working size.
            prompt: Instruction in English or Chinese, or several.
            negative_prompt: Instruction of the unconditional branch; the release's own by default.
            num_inference_steps: Time steps; the release's documented number by default.
            true_cfg_scale: Guidance scale; 1 is off. The release's documented value by default.
            size_level: Side in pixels of a square with the working area.
            height: Working height in pixels, a multiple of 16, instead of ``size_level``; with ``width``.
            width: Working width in pixels.
            num_images_per_prompt: Pictures for each prompt.
            generator: Source of the noise; a list gives each picture its own.
            latents: Initial noise (pictures, tokens, channels) instead.
            output_type: "pil", "np", "pt" or "latent".
            return_dict: Whether to return a record rather than a tuple.
            callback_on_step_end: Called as (pipeline, step, timestep, {"latents": ...}) after each step; may return new
                latents, may set ``pipeline._interrupt``.
            callback_on_step_end_tensor_inputs: Names it is given ("latents").
            parity: Do by accident what the released code does by accident (see ``docs/releases.md``).

        Returns:
            Pictures of exactly the reference images' size (text-to-image: the working size).

        Raises:
            RequestError: A request this release cannot serve.
            NumericalError: A number that is not finite came up.

        Source:
            Step1X-Edit report (arXiv:2504.17761), section 3 and Fig. 4.
        """
        # 0. What is asked.
        _require_known(output_type)
        conventions, defaults = self.conventions, self.release.defaults
        steps = num_inference_steps or defaults.steps
        guidance_scale = defaults.guidance_scale if true_cfg_scale is None else true_cfg_scale
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        references = self._references(image, len(prompts))
        frame = self._frame(references, size_level or defaults.size_level, width, height, parity=parity)
        columns, rows = frame.canvas[0] // GRID_PX, frame.canvas[1] // GRID_PX
        pictures = len(prompts) * num_images_per_prompt
        self._interrupt = False
        # A run that failed has left its steps in the caches that hooks keep.
        self.transformer._reset_stateful_cache()

        # 1. Conditioner: one pass over picture and words for each reference image.
        negatives = self._negatives(negative_prompt, len(prompts), guided=guidance_scale > 1, edit=image is not None)
        conditionings = self._condition(references, prompts, negatives, frame, conventions, parity=parity)
        conditionings = [item for item in conditionings for _ in range(num_images_per_prompt)]

        # 2. Reference latents and noise.
        reference = self._reference_tokens(references, frame, conventions, generator if parity else None)
        if reference is not None:
            reference = reference.repeat_interleave(num_images_per_prompt, dim=0)
        state: Any = self._noise(latents, pictures, rows, columns, generator)

        # 3. Schedule and positions.
        self.scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=schedule_shift(rows * columns))
        times = self.scheduler.sigmas[:-1]
        positions = grid_positions(rows=rows, columns=columns)
        if reference is not None:
            reference_positions = grid_positions(
                rows=rows, columns=columns, axis=conventions.reference_axis, offset=conventions.reference_offset
            )
            positions = torch.cat([positions, reference_positions])

        # 4. From noise to target latents.
        calls = plan_calls(
            self.transformer,
            conditionings,
            image_positions=positions,
            times=times,
            conventions=conventions,
            device=self._execution_device,
        )
        flow = GuidedFlow(
            self.transformer,
            calls,
            reference=reference,
            times=times,
            guidance_scale=guidance_scale,
            conventions=conventions,
        )
        with self.progress_bar(total=steps) as progress:  # pyright: ignore[reportCallIssue] - its hint is wrong
            for step, timestep in enumerate(self.scheduler.timesteps):
                velocity = flow.velocity(state, step)
                state = self.scheduler.step(velocity, timestep, state, return_dict=False)[0]
                if callback_on_step_end is not None:
                    shown = {name: {"latents": state}[name] for name in callback_on_step_end_tensor_inputs}
                    state = (callback_on_step_end(self, step, timestep, shown) or {}).get("latents", state)
                progress.update()
                if self.interrupt:
                    break

        # 5. Target latents to pictures at the reference's size.
        if output_type == "latent":
            output = unpack_latents(state, rows=rows, columns=columns)
        else:
            pictures_out = self._pictures(state, reference, references, frame)
            output = _as_type(pictures_out, output_type)
        self.maybe_free_model_hooks()
        return Step1XEditPipelineOutput(images=output) if return_dict else (output,)

    def _references(self, image: Any, prompts: int) -> list[Image.Image] | None:
        """Return one RGB reference image for each prompt, or none for text-to-image."""
        if image is None:
            if not self.conventions.text_to_image:
                raise RequestError(
                    given=f"no reference image for release {self.release.id}",
                    expected="a reference image (this release only edits)",
                    remedy="Give a picture, or use release v1.1 to make one from text.",
                )
            return None
        images = [image] if isinstance(image, Image.Image) else list(image)
        if len(images) == 1:
            images = images * prompts
        if len(images) != prompts or not all(isinstance(item, Image.Image) for item in images):
            raise RequestError(
                given=f"{len(images)} reference images for {prompts} prompts",
                expected="one PIL picture, or one for each prompt",
                remedy="Pass latents by the argument `latents`, and pictures as PIL images.",
            )
        return [item.convert("RGB") for item in images]

    def _frame(
        self,
        references: list[Image.Image] | None,
        size_level: int,
        width: int | None,
        height: int | None,
        *,
        parity: bool,
    ) -> WorkingFrame:
        if references is None:
            size = width or TEXT_TO_IMAGE_PX, height or TEXT_TO_IMAGE_PX
            return WorkingFrame(original=_on_grid(size), content=size, canvas=size)
        if width or height:
            size = _on_grid((width or 0, height or 0))
            return WorkingFrame(original=references[0].size, content=size, canvas=size)
        for item in references:
            _require_readable_shape(item)
        build = released_frame if parity else exact_frame
        frames = {build(*item.size, size_level=size_level) for item in references}
        if len(frames) > 1:
            raise RequestError(
                given=f"reference images of {len(frames)} sizes in one batch",
                expected="one size",
                remedy="Edit them one by one, or resize them to one size first.",
            )
        return frames.pop()

    def _negatives(
        self, negative_prompt: str | Sequence[str] | None, prompts: int, *, guided: bool, edit: bool
    ) -> list[str]:
        if not guided:
            return []
        if negative_prompt is None:
            negative_prompt = self.conventions.negative_instruction if edit else self.conventions.negative_prompt
        negatives = [negative_prompt] if isinstance(negative_prompt, str) else list(negative_prompt)
        if len(negatives) not in (1, prompts):
            raise RequestError(
                given=f"{len(negatives)} negative prompts for {prompts} prompts",
                expected="one, or one for each prompt",
                remedy="Give as many negative prompts as prompts, or a single one for all.",
            )
        return negatives * prompts if len(negatives) == 1 else negatives

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
        """Return conditionings in the order [conditional of all prompts ; unconditional of all prompts]."""
        conditioner = Conditioner(
            self.text_encoder,
            self.processor.tokenizer,
            self.processor.image_processor,
            conventions,
            parity=parity,
            device=self._execution_device,
        )
        # Without a picture the LLM is shown a black one.
        images = references or [no_picture()] * len(prompts)
        answers = []
        for index, picture in enumerate(images):
            shown = llm_picture(picture, frame, conventions) if references else picture
            texts = [prompts[index], *negatives[index : index + 1]]
            answers.append(conditioner(shown, texts, generation=frame.canvas))
        return [answer[branch] for branch in range(len(answers[0])) for answer in answers]

    def _reference_tokens(
        self,
        references: list[Image.Image] | None,
        frame: WorkingFrame,
        conventions: Conventions,
        generator: Any,
    ) -> Float[Tensor, "prompts tokens channels"] | None:
        if references is None:
            return None
        posterior_generator = generator[0] if isinstance(generator, list) else generator
        pixels = torch.cat([vae_pixels(item, frame, conventions) for item in references])
        latents = encode_pixels(self.vae, pixels.to(self._execution_device), generator=posterior_generator)
        return pack_latents(latents)

    def _noise(
        self, latents: Tensor | None, pictures: int, rows: int, columns: int, generator: Any
    ) -> Float[Tensor, "pictures tokens channels"]:
        channels = self.transformer.config.in_channels
        if latents is not None:
            if latents.shape != (pictures, rows * columns, channels):
                raise RequestError(
                    given=f"latents of shape {tuple(latents.shape)}",
                    expected=f"shape {(pictures, rows * columns, channels)} (pictures, tokens, channels)",
                    remedy="Pack the noise with `step1x_edit.sampling.packing.pack_latents`.",
                )
            return latents.to(self._execution_device, torch.float32)
        shape = (pictures, channels // 4, 2 * rows, 2 * columns)
        return pack_latents(
            randn_tensor(shape, generator=generator, device=self._execution_device, dtype=torch.float32)
        )

    def _pictures(
        self, latents: Tensor, reference: Tensor | None, references: list[Image.Image] | None, frame: WorkingFrame
    ) -> list[Image.Image]:
        """Decode the target and bring it to the reference images' size."""
        results = self._decode(latents, frame)
        if references is None or reference is None or not self.release.returns_detail:
            return [frame.restore(item) for item in results]
        box = (0, 0, *frame.content)
        repeats = len(results) // len(references)
        originals = [item for item in references for _ in range(repeats)]
        return [
            carry_back(result.crop(box), seen.crop(box), original)
            for result, seen, original in zip(results, self._decode(reference, frame), originals, strict=True)
        ]

    def _decode(self, latents: Float[Tensor, "pictures tokens channels"], frame: WorkingFrame) -> list[Image.Image]:
        unpacked = unpack_latents(latents, rows=frame.canvas[1] // GRID_PX, columns=frame.canvas[0] // GRID_PX)
        decoded = decode_latents(self.vae, unpacked)
        pixels = ((decoded + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return [Image.fromarray(item) for item in pixels]


def _require_readable_shape(image: Image.Image) -> None:
    ratio = max(image.size) / min(image.size)
    if ratio >= _LONGEST_SHAPE:
        raise RequestError(
            given=f"a picture of {image.size[0]} x {image.size[1]} px, {ratio:.0f} times longer than wide",
            expected=f"less than {_LONGEST_SHAPE} times",
            remedy="Crop it to a less extreme shape.",
        )


def _require_known(output_type: str) -> None:
    if output_type not in _OUTPUT_TYPES:
        raise RequestError(
            given=f"the output type {output_type!r}",
            expected=f"one of {', '.join(_OUTPUT_TYPES)}",
            remedy='Leave it out for PIL pictures; "latent" gives what the VAE would decode.',
        )


def _on_grid(size: tuple[int, int]) -> tuple[int, int]:
    if min(size) < GRID_PX or size[0] % GRID_PX or size[1] % GRID_PX:
        raise RequestError(
            given=f"a working size of {size[0]} x {size[1]} px",
            expected=f"a width and a height divisible by {GRID_PX}",
            remedy=f"Use {max(GRID_PX, size[0] // GRID_PX * GRID_PX)} x {max(GRID_PX, size[1] // GRID_PX * GRID_PX)}.",
        )
    return size


def _as_type(pictures: list[Image.Image], output_type: str) -> list[Image.Image] | np.ndarray | Tensor:
    if output_type == "pil":
        return pictures
    array = np.stack([np.asarray(item, dtype=np.float32) / 255 for item in pictures])
    return array if output_type == "np" else torch.from_numpy(array).permute(0, 3, 1, 2)
