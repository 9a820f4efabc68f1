"""The records of the data engine: source images, edit triplets, rejections. Pixels are kept beside them, never inside.

Field names are those of the store's columns. One attempt gives exactly one :class:`EditTriplet` or one
:class:`Rejection`, so that attempts = triplets + rejections, always.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from step1x_edit.schema.tasks import EditTask

__all__ = [
    "Box",
    "Decision",
    "EditTriplet",
    "ImageFacts",
    "InstructionVariant",
    "Mask",
    "Observations",
    "Provenance",
    "Rejection",
    "Review",
    "Scores",
    "SourceImage",
    "SourceKind",
    "Split",
    "StageRecord",
    "Voice",
]

Split = Literal["train", "held_out"]
SourceKind = Literal["photo", "subject", "cutout"]
"""A photograph (RGB), a photograph with its subject's matte (RGBA), or a cut-out (RGBA, cropped to its matte)."""
Voice = Literal["detailed", "concise", "user"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SourceImage(_Record):
    """A picture that triplets are made from."""

    id: str
    """First 16 digits of the file's SHA-256."""
    uri: str
    """Where it was read: a path below its source, a member of an archive, or a row of a table."""
    sha256: str
    phash: str
    """Perceptual hash, 16 hexadecimal digits; near-duplicates differ in few bits."""
    width: int
    """In pixels, after orientation."""
    height: int
    kind: SourceKind
    scene: bool = False
    """True for a photograph without a dominant subject, which may stand behind an object."""
    label: str | None = None
    """What it shows, in English, where known."""
    label_zh: str | None = None
    dataset: str
    """Package, data set or folder it belongs to."""
    version: str = ""
    licence: str = "unknown"
    permissive: bool = False
    """True where the licence lets the picture be passed on with a notice (CC0, public domain, MIT, Apache, BSD, CC-BY)."""
    author: str | None = None
    split: Split = "train"


class ImageFacts(_Record):
    """One of the two pictures of a triplet."""

    width: int
    height: int
    sha256: str
    """Of the pixels: RGB bytes, row by row."""
    phash: str


class InstructionVariant(_Record):
    """One wording of the edit."""

    language: Literal["en", "zh"]
    voice: Voice
    text: str
    writer: str = "grammar"
    """Who wrote it: the grammar of ``data_engine/instructions``, or the id of a model."""


class Box(_Record):
    """A labelled box; coordinates are fractions of width and height, 0..1."""

    label: str
    left: float
    top: float
    right: float
    bottom: float


class Mask(_Record):
    """Where the edit may change the picture, as run lengths.

    Runs go row by row and alternate unchanged, changed, unchanged ...; the first may be 0.
    """

    height: int
    width: int
    runs: tuple[int, ...]


class StageRecord(_Record):
    """One stage of a recipe: which part did what."""

    stage: str
    """What was done: matte, inpaint, compose, recolour ..."""
    part: str
    """Expert or module that did it."""
    version: str
    parameters: str = ""
    """Settings as ``name=value`` words."""
    seconds: float = 0.0
    """Left out of every hash."""


class Provenance(_Record):
    """Where a triplet or a rejection comes from."""

    sources: tuple[str, ...]
    """Ids of the source images."""
    licences: tuple[str, ...]
    """Their licences, each once."""
    authors: tuple[str, ...] = ()
    permissive: bool
    """True when every source is."""
    recipe: str
    pipeline_version: str
    seed: int
    attempt: int
    """Number of the attempt in its run."""
    stages: tuple[StageRecord, ...] = ()


class Decision(_Record):
    """What one filter said."""

    filter: str
    passed: bool | None
    """``None``: not run, because its expert is absent."""
    value: float | None = None
    threshold: float | None = None
    reason: str = ""


class Scores(_Record):
    """Measured properties; ``None`` where not measured."""

    changed_area: float | None = None
    """Share of pixels that changed visibly, 0..1."""
    blob_share: float | None = None
    """Share of the changed pixels in the largest connected region, 0..1."""
    shift_px: float | None = None
    """Global shift between reference and target, in pixels."""
    psnr_outside: float | None = None
    """In dB, outside the mask; 100 where bit-equal."""
    ssim_outside: float | None = None
    perceptual_outside: float | None = None
    """LPIPS-like distance outside the mask."""
    features_cosine: float | None = None
    """Cosine of the two pictures' image features."""


class Observations(_Record):
    """What is known about the scene."""

    subject: str = ""
    """English name of the edited object; "" for an edit of the whole picture."""
    detail: str = ""
    """The look, colour, material, style or place asked for, or the object that comes instead."""
    place: str = ""
    text_before: tuple[str, ...] = ()
    text_after: tuple[str, ...] = ()
    foreground_motion_px: float | None = None
    background_motion_px: float | None = None


class Review(_Record):
    """What a person said about a triplet."""

    state: Literal["none", "sampled", "passed", "failed"] = "none"
    reviewer: str = ""
    date: str = ""
    note: str = ""


class EditTriplet(_Record):
    """Reference image, instruction and target, with everything known about how they came to be.

    Source:
        Step1X-Edit report (arXiv:2504.17761), section 3.1; fields added where later public data sets have them.
    """

    uid: str
    """First 32 digits of the SHA-256 over both pictures' hashes and the English instruction."""
    task: EditTask
    subtask: str = ""
    source: ImageFacts
    """The reference image."""
    target: ImageFacts
    instruction_en: str
    instruction_cn: str
    instruction_variants: tuple[InstructionVariant, ...] = ()
    inverse_of: str | None = None
    caption_source: str = ""
    caption_target: str = ""
    mask: Mask
    boxes: tuple[Box, ...] = ()
    aux: Observations = Observations()
    provenance: Provenance
    scores: Scores = Scores()
    decisions: tuple[Decision, ...] = ()
    review: Review = Review()
    flags: tuple[Literal["nsfw", "face", "minor", "watermark", "text", "celebrity"], ...] = ()
    split: Split = "train"
    weight: float = Field(default=1.0, ge=0)


class Rejection(_Record):
    """An attempt, or a source image, that gave no triplet, and why."""

    uid: str
    task: EditTask | None
    """``None`` when a source image could not be used at all."""
    stage: str
    """Reading, a stage of the recipe, or the filter that said no."""
    reason: str
    """One sentence."""
    value: float | None = None
    threshold: float | None = None
    provenance: Provenance
    decisions: tuple[Decision, ...] = ()
    retry: bool = False
    """True for a time-out: the attempt is made again later, and the record is left out of every hash."""
