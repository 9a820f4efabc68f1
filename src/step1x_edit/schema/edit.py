"""One edit from door to door: what is asked (``EditRequest``), how it was done, and what came out (``EditResult``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from step1x_edit.errors import RequestError

__all__ = [
    "MAX_SIDE_PX",
    "MIN_SIDE_PX",
    "AdapterUse",
    "EditParameters",
    "EditRequest",
    "EditResult",
    "Preset",
    "ResolvedSettings",
    "request_error",
]

Preset = Literal["fast", "balanced", "best"]

# Parameters travel inside the result; EXIF of a JPEG holds 64 KiB, and an escaped Chinese character takes six bytes.
MAX_INSTRUCTION_CHARACTERS = 4000
MAX_SEED = 2**63 - 1
MIN_SIDE_PX = 16
MAX_SIDE_PX = 16384


class EditRequest(BaseModel):
    """What the user asks for. Settings left open (``None``) are filled in by the pipeline from release and preset.

    Raises:
        RequestError: A value is out of its range, a name is unknown, or the instruction is empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    reference: Path | bytes | Image.Image
    """The reference image: a path, the bytes of a file, or a picture in memory."""

    instruction: str = Field(max_length=MAX_INSTRUCTION_CHARACTERS)
    """The edit in words, English or Chinese."""

    negative_instruction: str | None = Field(default=None, max_length=MAX_INSTRUCTION_CHARACTERS)
    """Its opposite for guidance; open means the release's own."""

    allow_empty_instruction: bool = False
    """Accept an instruction without words, which asks for the reference image again."""

    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    """Start of the noise; open means a fresh one, told in the result."""

    steps: int | None = Field(default=None, ge=1, le=1000)
    """Denoising steps."""

    guidance_scale: float | None = Field(default=None, ge=1, le=30)
    """Strength of classifier-free guidance; 1 is off."""

    size_level: int | None = Field(default=None, ge=MIN_SIDE_PX, le=MAX_SIDE_PX)
    """Side in pixels of a square with the working area. The result keeps the size of the reference image."""

    width: int | None = Field(default=None, ge=MIN_SIDE_PX, le=MAX_SIDE_PX)
    """Working width in pixels, instead of ``size_level``; only together with ``height``."""

    height: int | None = Field(default=None, ge=MIN_SIDE_PX, le=MAX_SIDE_PX)
    """Working height in pixels."""

    images_per_instruction: int = Field(default=1, ge=1, le=16)
    """Pictures made from one instruction, each from noise of its own."""

    release: str | None = None
    """Id of the release; open means the one at hand."""

    preset: Preset = "balanced"
    """The one dial: how many steps to spend where ``steps`` is open."""

    if not TYPE_CHECKING:  # The written-out signature stays visible to type checkers and editors.

        def __init__(self, **fields: Any) -> None:
            try:
                super().__init__(**fields)
            except ValidationError as error:
                raise request_error(error) from None

    @field_validator("reference", mode="before")
    @classmethod
    def _text_is_a_path(cls, value: object) -> object:
        return Path(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_words(self) -> EditRequest:
        if not self.instruction.strip() and not self.allow_empty_instruction:
            raise ValueError("an empty instruction; expected the edit in words, for example 'make it night'")
        return self

    @model_validator(mode="after")
    def _has_one_size(self) -> EditRequest:
        if (self.width is None) != (self.height is None):
            raise ValueError("only one of width and height; expected both or neither")
        if self.width is not None and self.size_level is not None:
            raise ValueError("a size level beside width and height; expected one of the two")
        return self


class AdapterUse(BaseModel):
    """A LoRA file and its strength."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    scale: float = Field(default=1.0, ge=-10, le=10)
    """Multiplies the adapter's change of the weights; 0 is off, 1 as trained."""

    sha256: str | None = None
    """Hash of the file's bytes, where it was read."""


class ResolvedSettings(BaseModel):
    """Everything that decides the pixels, with nothing left open. Together with the reference image it is a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: str
    weights: Path | None = None
    """Folder or file of the weights where the user named one; ``None`` for the release's usual place."""
    seed: int
    steps: int
    guidance_scale: float
    size_level: int | None
    """``None`` where the request stated width and height."""
    width: int
    """Width in pixels at which the picture was made, before it went back to the reference's size."""
    height: int
    images_per_instruction: int = 1
    negative_instruction: str
    parity: bool = False
    """Whether the released behaviour was asked for, quirks included."""
    adapters: tuple[AdapterUse, ...] = ()
    device: str
    dtype: str
    """Name of the torch type the networks ran in, such as ``bfloat16``."""
    threads: int
    """Processor threads of torch; results on the CPU can depend on it."""
    package_version: str
    torch_version: str


class EditParameters(BaseModel):
    """What is written into a result, enough to make the same pixels again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instruction: str
    reference_path: Path | None
    """Where the reference image lay; ``None`` for a picture given in memory."""
    reference_sha256: str
    image_index: int = 0
    """Which of the pictures made from one instruction this is."""
    settings: ResolvedSettings


class EditResult(BaseModel):
    """The target images of one request, each exactly as large as the reference image, its alpha included."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    images: tuple[Image.Image, ...] = Field(min_length=1)
    instruction: str
    reference_path: Path | None
    reference_sha256: str
    settings: ResolvedSettings
    seconds: float
    """Wall time of the edit, without loading the release."""

    @property
    def image(self) -> Image.Image:
        """The first (mostly only) picture."""
        return self.images[0]

    def parameters(self, image_index: int = 0) -> EditParameters:
        """Return what belongs into the file of one of the pictures."""
        return EditParameters(
            instruction=self.instruction,
            reference_path=self.reference_path,
            reference_sha256=self.reference_sha256,
            image_index=image_index,
            settings=self.settings,
        )


def request_error(error: ValidationError, *, where: str = "") -> RequestError:
    """Say the first complaint of a validation in one sentence.

    Args:
        error: What pydantic found.
        where: Place of the record in a file, such as ``"line 3 of jobs.jsonl: "``.
    """
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    kind, told = first["type"], str(first.get("ctx", {}).get("error", ""))
    if kind == "value_error":
        given, _, expected = told.partition("; expected ")
    elif kind == "missing":
        given, expected = f"no {field}", "it to be stated"
    elif kind == "extra_forbidden":
        given, expected = f"the unknown name {field!r}", "only known names"
    elif field == "reference":
        given, expected = (
            f"as reference {_brief(first['input'])}",
            "a path, the bytes of a picture file, or a PIL image",
        )
    else:
        given = f"{field} {_brief(first['input'])}"
        expected = first["msg"].replace("Input should be", "a value that is").replace("String should have", "a text of")
    return RequestError(given=where + given, expected=expected, remedy="Correct it and ask again.")


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
