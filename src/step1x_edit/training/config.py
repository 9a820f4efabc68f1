"""What one training run is told: a TOML file, checked before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

__all__ = [
    "DataConfig",
    "LoraConfig",
    "ModelConfig",
    "ObjectiveConfig",
    "OptimizerConfig",
    "RunConfig",
    "SourceConfig",
    "TrainingConfig",
    "ValidationCase",
    "ValidationConfig",
]

Method = Literal["lora", "full"]
Part = Literal["transformer", "connector", "text_encoder"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(_Section):
    """Which weights are trained."""

    release: str = "nano"
    """Id of the release; its record decides ids, clamp, padding and the unconditional form."""
    weights: Path | None = None
    """Folder or file to start from; the release's usual place by default."""
    train: tuple[Part, ...] = ("transformer",)
    """What learns. The transformer without its connector, the connector, or (adapters only) the multimodal LLM."""
    base: Literal["bf16", "fp32", "fp8", "int8", "nf4"] = "bf16"
    """Stored form of the frozen weights under adapters; full training takes fp32 or bf16."""


class SourceConfig(_Section):
    """One place that pairs come from."""

    path: str
    """Folder, file, or name of a data set in the hub cache."""
    kind: Literal["auto", "store", "folder", "dataset", "official"] = "auto"
    """The data engine's store, a folder of pairs with a CSV or JSONL, a Hugging Face data set, the official trainer's JSON."""
    weight: float = Field(default=1.0, gt=0)
    """How often each of its pairs comes up beside those of other sources; 2 is twice in an epoch, 0.5 in every other."""
    split: str = "train"
    """Of a Hugging Face data set."""
    columns: dict[Literal["reference", "target", "instruction", "instruction_zh", "mask"], str] = {}
    """Of a Hugging Face data set: our column → theirs, where the usual names do not tell."""


class DataConfig(_Section):
    """Which pairs, at which size."""

    sources: tuple[SourceConfig, ...]
    languages: tuple[Literal["en", "zh"], ...] = ("en", "zh")
    """Instructions taken where a pair has several; each pair is cached once for each."""
    size_level: PositiveInt | None = None
    """Side in pixels of a square with the area of a training picture; the release's working size by default."""
    cache: Path | None = None
    """Where latents and conditioning are kept; beside the run by default."""
    encode_batch: PositiveInt = 4
    """Pictures that go through the VAE at once."""


class ObjectiveConfig(_Section):
    """The loss of one step (report, section 3; released trainer, ``timestep_sampling``)."""

    time_sampling: Literal["logit_normal", "uniform", "shifted"] = "shifted"
    spread: float = Field(default=1.0, gt=0)
    """Standard deviation before the sigmoid."""
    shift_tokens: PositiveInt | None = None
    """Number of target tokens that decides the shift, for all buckets (the released trainer: 4096); each bucket's own by
    default, as at inference."""
    changed_weight: float = Field(default=1.0, ge=1)
    """Weight of tokens that the edit changes; 1 weighs all alike."""
    instruction_dropout: float = Field(default=0.1, ge=0, le=1)
    """Share of examples that get the release's unconditional form instead of their instruction."""
    text_to_image_share: float = Field(default=0.0, ge=0, le=1)
    """Share of batches without a reference image (v1.1 only)."""
    position_jitter: int = Field(default=0, ge=0)
    """Largest number of tokens by which rows and columns of a batch are moved, target and reference alike."""


class LoraConfig(_Section):
    """Adapters (peft)."""

    rank: PositiveInt = 64
    alpha: float = 32.0
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: tuple[str, ...] = ()
    """Patterns of module names; all linear layers of the trained parts' blocks by default."""
    rank_pattern: dict[str, PositiveInt] = {}
    alpha_pattern: dict[str, float] = {}


class OptimizerConfig(_Section):
    """Optimiser and learning rate."""

    name: Literal["adamw", "adamw_8bit", "schedule_free", "muon"] = "adamw"
    rate: float = Field(default=1e-4, gt=0)
    matrix_rate: float | None = Field(default=None, gt=0)
    """Of the blocks' matrices under ``muon``; twice ``rate`` by default."""
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warm_up_steps: int = Field(default=0, ge=0)
    warm_up_share: float = Field(default=0.0, ge=0, lt=1)
    """Warm-up as a share of the run, of its steps or its minutes; with both, the slower one counts."""
    final_share: float = Field(default=0.05, ge=0, le=1)
    """Share of the rate at the end of the cosine."""
    clip_norm: float = Field(default=1.0, gt=0)


class RunConfig(_Section):
    """How long, how large, and what is kept."""

    steps: PositiveInt | None = None
    epochs: PositiveInt | None = None
    minutes: float | None = Field(default=None, gt=0)
    """Exactly one of the three. Under ``minutes`` the schedule follows the clock and a resume is not bit-equal."""
    batch: PositiveInt = 1
    """Examples of one step of one process before accumulation."""
    accumulate: PositiveInt = 1
    precision: Literal["bf16", "fp32"] = "bf16"
    """Type of computation: bf16 by autocast, whatever the weights are stored in."""
    seed: int = 42
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    """Running mean of the trained weights; what is exported then."""
    checkpoint_every: PositiveInt = 500
    """In steps."""
    keep: PositiveInt = 2
    """Checkpoints that stay."""
    activation_checkpointing: float = Field(default=0.0, ge=0, le=1)
    """Share of blocks whose activations are computed again in the backward pass instead of kept."""
    cheap_recomputation: bool = True
    """Whether the other blocks compute again what costs little (norms, activations, adapters' small products). A compiled
    block decides by itself."""
    compile: bool = False
    """torch.compile of the repeated blocks."""
    threads: PositiveInt | None = None
    spike_factor: float = Field(default=4.0, gt=1)
    """A loss this many times the recent mean, or a gradient that is not finite, is skipped, then backed off, then stops."""


class ValidationCase(_Section):
    """A picture and what is asked of it."""

    image: Path
    instruction: str


class ValidationConfig(_Section):
    """The grid that shows sources, the base model and the run beside each other, through the real pipeline."""

    every: PositiveInt = 500
    """In steps."""
    cases: tuple[ValidationCase, ...] = ()
    steps: PositiveInt | None = None
    guidance_scale: float | None = Field(default=None, ge=1)
    seed: int = 0
    suite: str | None = None
    """A mini suite whose table is made too."""


class TrainingConfig(_Section):
    """The whole file. ``step1x train lora|full`` decides the method."""

    preset: str | None = None
    """Named settings below these (``presets/training``)."""
    model: ModelConfig = ModelConfig()
    data: DataConfig
    objective: ObjectiveConfig = ObjectiveConfig()
    lora: LoraConfig = LoraConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig
    validation: ValidationConfig = ValidationConfig()
