"""What a release is: the conventions its weights were trained with, its defaults, and where it is published.

Everything in which releases differ is data here; no network and no loop asks for a version.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Conventions", "MemoryNeed", "Release", "ReleaseDefaults"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Conventions(_Record):
    """How a release's weights expect their inputs. Stored in the saved transformer's ``config.json``.

    Source: the released code of each version, measured part by part.
    """

    chat_head: str
    """Text before the prefix: the chat template's system message and the opening of the user's turn."""

    prefix: str
    """Fixed text in front of the instruction, a constant of the checkpoint to the character."""

    layout: Literal["image_first", "instruction_first"]
    """Order after the prefix: image then instruction (v1.0, v1.1), or a space, instruction, image."""

    vision_label: str = "Picture 1: "
    """Text in front of the picture's tokens."""

    chat_tail: str = "<|im_end|>\n<|im_start|>assistant\n"
    """Text that closes the user's turn."""

    dropped_tokens: int = Field(ge=0)
    """Leading tokens left out of the conditioning. One less than head + prefix: the final ":" stays as token 0."""

    max_text_tokens: int = Field(gt=0)
    """Longest conditioning, cut at the end."""

    pad_text: bool
    """Whether the conditioning is zero-padded to ``max_text_tokens``; the pads take part in the transformer."""

    quotes: Literal["wrapped_characters", "flagged_characters", "plain"]
    """How quoted text is tokenised: each character wrapped in curly quotes, each flagged for the text mapping, or not at all."""

    quote_guard: int = 0
    """Index of the rendered text up to which quote characters do not count."""

    mllm_min_pixels: int = Field(gt=0)
    mllm_max_pixels: int = Field(gt=0)
    """Range of the picture's area in the multimodal LLM's image processor."""

    mllm_first_resize: bool
    """Whether the picture is brought to multiples of the LLM's patch once before the processor (v1.x)."""

    generation_filter: Literal["lanczos", "bicubic"]
    """Filter that brings the reference image to the generation size."""

    vae_filter: Literal["generation", "bilinear_antialias"]
    """Input of the VAE: the generation-size image, or the original resampled on its own in floating point."""

    text_positions: Literal["zero", "mllm"]
    """Rotary ids of the context tokens: all zero, or the LLM's temporal index with the picture's tokens on the target grid."""

    reference_axis: int
    """Rotary id of the reference tokens on axis 0 (target tokens have 0)."""

    reference_offset: int
    """Added to row and column ids of the reference tokens."""

    clamp_above_time: float = Field(ge=0, le=1)
    """The norm clamp of guidance acts where time exceeds this: 1 never, 0 always."""

    clamp_power: float = 0.4
    """Exponent of the norm clamp."""

    text_mapping: bool = False
    """Whether input embeddings of quoted tokens are mapped onto the context (v1.2)."""

    text_to_image: bool = False
    """Whether the weights also make pictures without a reference image."""

    negative_instruction: str = ""
    """Unconditional instruction of an edit."""

    negative_prompt: str = ""
    """Unconditional text when there is no reference image."""


class ReleaseDefaults(_Record):
    """What a release's documentation recommends."""

    steps: int = Field(gt=0)
    guidance_scale: float = Field(ge=1)
    size_level: int = Field(gt=0)
    """Side in pixels of a square with the working area."""


class MemoryNeed(_Record):
    """Measured or computed memory of one way to run a release."""

    mode: str
    gib: float
    source: str


class Release(_Record):
    """One published (or embedded) version of the model.

    Attributes that describe publication are used by ``step1x releases`` and ``step1x fetch`` only.
    """

    id: str
    title: str
    date: str
    licence: str
    repository: str | None = None
    """Hub repository of the published weights; ``None`` for the embedded release."""
    form: Literal["single_files", "diffusers_folder", "embedded"]
    files: dict[str, str] = {}
    """Part → file inside the repository, for releases published as single files."""
    mllm_repository: str | None = None
    """Hub repository of the multimodal LLM where the release does not bring its own."""
    parameters: int
    """All parts together."""
    download_gib: float
    conventions: Conventions
    defaults: ReleaseDefaults
    memory: tuple[MemoryNeed, ...] = ()
    returns_detail: bool = False
    """Whether the result takes fine detail from the reference image when it is brought back to its size."""

    @property
    def text_to_image(self) -> bool:
        """Whether the weights also make pictures without a reference image."""
        return self.conventions.text_to_image
