"""Train nano's autoencoder: photographs to 16 latent channels at an eighth of the size, and back.

The network is diffusers' ``AutoencoderKL``, as in every release, with few channels where pictures are large. One thing
differs from common practice: the posterior's standard deviation is one constant for all channels (:data:`NOISE_STD`)
instead of being learned. A learned one would let the encoder squeeze what the eye weighs most (the brightness of a
patch) into the same unit variance as faint detail, and a transformer that misses each latent by the same share would
then show blocks. Under equal noise the encoder gives large amplitudes to what matters, and one scalar normalises all.

The door is ``python -m step1x_edit.apps.nano_autoencoder``; its opening names the commands that made the release.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor, nn

from step1x_edit.experts.perceptual_distance import PerceptualDistance
from step1x_edit.training.nano.crops import CropSampler, Pixels, centre_square, to_range
from step1x_edit.training.nano.keeping import average_weights, save_network
from step1x_edit.training.nano.orthogonal import OrthogonalSteps

__all__ = [
    "NOISE_STD",
    "AutoencoderSettings",
    "build_autoencoder",
    "psnr",
    "reconstruct",
    "reconstruction_loss",
    "set_latent_scale",
    "train_autoencoder",
]

NOISE_STD = 0.05
"""Standard deviation of the posterior; the latents of photographs settle near 2.3 beside it."""
LATENT_WEIGHT = 1e-3
"""Weight of the divergence from N(0, 1), which under a constant deviation is half the mean square of the latents."""

PERCEPTUAL_BLOCKS = 3
"""Depths of the perceptual distance that a loss compares; the last two see little at 128 pixels and cost twice as much."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoencoderSettings:
    """Settings of one training run."""

    minutes: float
    """Wall time of the run; learning rate and crop size follow the share of it that has passed."""
    seed: int = 0
    pixels_per_batch: int = 8 * 96 * 96
    """Crops in a batch times their area, so that a step costs the same at every crop size."""
    crop_px: tuple[tuple[float, int], ...] = ((0.0, 64), (0.5, 96), (0.75, 128))
    """Crop side by the share of the run from which it holds: many small crops first, context later."""
    learning_rate: float = 6e-3
    """Of the kernels, which follow Muon; biases, norms and the outermost kernels take two thirds of it."""
    warm_up_steps: int = 60
    gradient_weight: float = 1.0
    """Weight of differences between neighbouring pixels: sharp edges rather than smooth ones."""
    perceptual_weight: float = 0.0
    """Weight of the perceptual distance, taken over half of each batch: what an object is rather than its exact pixels."""
    freeze_encoder: bool = False
    """Train the decoder alone; latents of pictures then stay what they are."""
    checkpoint_seconds: float = 180.0


def build_autoencoder(
    block_out_channels: Sequence[int] = (16, 32, 96, 96), *, layers_per_block: int = 1, norm_num_groups: int = 8
) -> AutoencoderKL:
    """Build an untrained autoencoder of nano's kind (2.0 million parameters at its own sizes).

    Args:
        block_out_channels: Channels from full resolution downwards; each further entry halves the picture.
        layers_per_block: Residual blocks of each level of the encoder; the decoder has one more.
        norm_num_groups: Groups of every normalisation.

    Returns:
        A network with 3 picture and 16 latent channels whose posterior has the constant deviation :data:`NOISE_STD`.
    """
    levels = len(block_out_channels)
    # diffusers annotates its tuples with the length they have by default.
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,  # pyright: ignore[reportArgumentType]
        up_block_types=("UpDecoderBlock2D",) * levels,  # pyright: ignore[reportArgumentType]
        block_out_channels=tuple(block_out_channels),  # pyright: ignore[reportArgumentType]
        layers_per_block=layers_per_block,
        latent_channels=16,
        norm_num_groups=norm_num_groups,
        sample_size=256,
        force_upcast=False,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    to_moments = autoencoder.encoder.conv_out
    with torch.no_grad():
        to_moments.weight[16:].zero_()
        assert to_moments.bias is not None
        to_moments.bias[16:].fill_(2 * math.log(NOISE_STD))
    return autoencoder


def reconstruction_loss(
    made: Float[Tensor, "batch 3 height width"],
    wanted: Float[Tensor, "batch 3 height width"],
    *,
    gradient_weight: float,
) -> Float[Tensor, ""]:
    """Absolute error of pixels, of their differences, and of means over 2, 4 and 8 pixels.

    Means weigh colour and brightness of areas, where an error is a visible patch; differences weigh edges.

    Args:
        made: Reconstructed pictures, -1..1.
        wanted: The pictures themselves, -1..1.
        gradient_weight: Weight of the differences to the right and lower neighbours.

    Returns:
        One number.
    """
    error = made - wanted
    loss = error.abs().mean()
    loss = loss + gradient_weight * (error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()) / 2
    for _ in range(3):
        error = F.avg_pool2d(error, 2)
        loss = loss + error.abs().mean()
    return loss


def reconstruct(autoencoder: AutoencoderKL, pictures: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch 3 h w"]:
    """Encode (posterior mode) and decode pictures of -1..1; the result is clipped to that range."""
    with torch.inference_mode():
        return autoencoder.decoder(autoencoder.encoder(pictures)[:, :16]).clamp(-1, 1)


def psnr(autoencoder: AutoencoderKL, pictures: Sequence[Pixels], side_px: int) -> float:
    """Return the mean peak signal-to-noise ratio in dB over centred squares of ``side_px``."""
    values = []
    for picture in pictures:
        wanted = to_range(centre_square(picture, side_px))[None]
        error = (reconstruct(autoencoder, wanted) - wanted).square().mean() / 4
        values.append(-10 * math.log10(max(float(error), 1e-10)))
    return float(np.mean(values))


def set_latent_scale(autoencoder: AutoencoderKL, pictures: Sequence[Pixels], *, side_px: int = 128) -> None:
    """Measure mean and deviation of all latents together and put them in the config as shift and scaling.

    Per-channel differences are kept on purpose; see the module's opening.

    Args:
        autoencoder: Its ``config.shift_factor`` and ``config.scaling_factor`` are set.
        pictures: Photographs; their centred squares are encoded.
        side_px: Side of the squares.
    """
    with torch.inference_mode():
        squares = (to_range(centre_square(picture, side_px))[None] for picture in pictures)
        latents = torch.cat([autoencoder.encoder(square)[:, :16].flatten() for square in squares])
    mean, deviation = float(latents.mean()), float(latents.std())
    autoencoder.register_to_config(shift_factor=round(mean, 5), scaling_factor=round(1 / deviation, 5))


def _loss(
    autoencoder: AutoencoderKL,
    pictures: Float[Tensor, "b 3 h w"],
    settings: AutoencoderSettings,
    perception: PerceptualDistance | None,
) -> Float[Tensor, ""]:
    """One forward pass in bfloat16; the loss itself is taken in float32."""
    with torch.autocast("cpu", torch.bfloat16):
        means = autoencoder.encoder(pictures)[:, :16]
        made = autoencoder.decoder(means + NOISE_STD * torch.randn_like(means))
        half = -(-len(pictures) // 2)
        seen = 0.0 if perception is None else perception.loss(made[:half], pictures[:half], blocks=PERCEPTUAL_BLOCKS)
    loss = reconstruction_loss(made.float(), pictures, gradient_weight=settings.gradient_weight)
    loss = loss + settings.perceptual_weight * seen
    return loss if settings.freeze_encoder else loss + LATENT_WEIGHT / 2 * means.float().square().mean()


def train_autoencoder(
    autoencoder: AutoencoderKL,
    sampler: CropSampler,
    settings: AutoencoderSettings,
    *,
    held_out: Sequence[Pixels],
    folder: Path,
    perception: PerceptualDistance | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AutoencoderKL:
    """Train for the given time and return the running mean of the weights, which is also what ``folder`` holds.

    Args:
        autoencoder: Network to start from, untrained or loaded from an earlier checkpoint; it is changed.
        sampler: Source of training pictures.
        settings: Settings of the run.
        held_out: Photographs the sampler never sees; their PSNR at 128 px is logged at every checkpoint.
        folder: Where checkpoints go, each replacing the one before.
        perception: Part of the loss by the settings' weight.
        clock: Seconds since any moment; asked once at the start and once after every step.

    Returns:
        The averaged network.
    """
    torch.manual_seed(settings.seed)
    autoencoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    averaged = copy.deepcopy(autoencoder)
    autoencoder.encoder.requires_grad_(not settings.freeze_encoder)
    rate = settings.learning_rate
    optimizer = OrthogonalSteps(autoencoder, rate=rate, plain_rate=rate * 2 / 3)
    start = saved = clock()
    step, recent, progress = 0, 0.0, 0.0
    while progress < 1:
        # 1. The clock decides crop size and learning rate.
        side_px = max(side for since, side in settings.crop_px if progress >= since)
        share = min(1, (step + 1) / settings.warm_up_steps) * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)
        # 2. One step of the optimiser, one of the running mean.
        pictures = sampler.batch(max(1, settings.pixels_per_batch // side_px**2), side_px)
        loss = _loss(autoencoder, pictures, settings, perception)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(autoencoder.parameters(), 1.0)
        optimizer.step(share=share)
        average_weights(averaged, autoencoder, step)
        # 3. Log and keep.
        step += 1
        recent = float(loss.detach()) if step == 1 else 0.98 * recent + 0.02 * float(loss.detach())
        now = clock()
        progress = (now - start) / (60 * settings.minutes)
        if now - saved > settings.checkpoint_seconds or progress >= 1:
            saved = now
            save_network(averaged, folder)
            quality = psnr(averaged, held_out, 128)
            log.info("step %d  %.1f min  loss %.4f  PSNR %.2f dB", step, (now - start) / 60, recent, quality)
        elif step % 50 == 0:
            log.info("step %d  %.1f min  loss %.4f  %d px", step, (now - start) / 60, recent, side_px)
    return averaged
