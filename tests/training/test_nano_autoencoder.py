"""Nano's autoencoder: its training lowers the loss, keeps what it should, and can be taken up again."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from step1x_edit.errors import DataError
from step1x_edit.experts.perceptual_distance import PerceptualDistance
from step1x_edit.training.nano.autoencoder import (
    NOISE_STD,
    PERCEPTUAL_BLOCKS,
    AutoencoderSettings,
    build_autoencoder,
    psnr,
    reconstruct,
    reconstruction_loss,
    set_latent_scale,
    train_autoencoder,
)
from step1x_edit.training.nano.crops import CropSampler, centre_square, to_range
from step1x_edit.training.nano.keeping import save_network

SHORT = AutoencoderSettings(minutes=1, pixels_per_batch=4 * 32 * 32, crop_px=((0.0, 32),), warm_up_steps=5)


def steps_of_a_minute(count: int) -> Callable[[], float]:
    """A clock by which ``count`` steps fill a minute, so that a run does not depend on the machine."""
    return itertools.count(step=60 / count).__next__


def tiny_autoencoder() -> AutoencoderKL:
    torch.manual_seed(0)
    return build_autoencoder((8, 8, 16, 16), norm_num_groups=4)


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    """Smooth pictures with a disc, of three sizes."""
    rows, columns = np.mgrid[0:96, 0:120]
    pictures = []
    for index in range(3):
        picture = np.stack([rows * 2, columns * 2, (rows + columns) % 256], axis=2).astype(np.uint8)
        picture[(rows - 40) ** 2 + (columns - 30 - 20 * index) ** 2 < 300] = (220, 40 * index, 10)
        pictures.append(picture[: 80 + 8 * index])
    return pictures


@pytest.fixture
def sampler(photographs: list[np.ndarray]) -> CropSampler:
    cutout = np.full((20, 30, 4), 200, np.uint8)
    return CropSampler(photographs, [cutout], seed=5)


def test_a_few_steps_of_training_lower_the_loss(
    sampler: CropSampler, photographs: list[np.ndarray], tmp_path: Path
) -> None:
    start = tiny_autoencoder()
    before = psnr(start, photographs, 64)
    trained = train_autoencoder(
        start, sampler, SHORT, held_out=photographs, folder=tmp_path, clock=steps_of_a_minute(25)
    )
    assert psnr(trained, photographs, 64) > before + 0.5


def test_a_perceptual_weight_brings_what_is_made_nearer_to_what_is_seen(
    photographs: list[np.ndarray], tmp_path: Path
) -> None:
    pytest.importorskip("h5py", reason="needs the extra `data`")
    from toy_perception import write_toy_perception

    write_toy_perception(tmp_path / "features.h5", tmp_path / "weights.pth")
    perception = PerceptualDistance(features=tmp_path / "features.h5", weights=tmp_path / "weights.pth")
    wanted = torch.stack([to_range(centre_square(one, 64)) for one in photographs])
    distances = []
    for weight in (0.0, 3.0):
        trained = train_autoencoder(
            tiny_autoencoder(),
            CropSampler(photographs, seed=5),
            replace(SHORT, perceptual_weight=weight),
            held_out=photographs,
            folder=tmp_path / "run",
            perception=perception,
            clock=steps_of_a_minute(25),
        )
        distances.append(float(perception.loss(reconstruct(trained, wanted), wanted, blocks=PERCEPTUAL_BLOCKS)))
    assert distances[1] < 0.97 * distances[0]


def test_a_saved_autoencoder_comes_back_to_the_last_bit_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    saved = tiny_autoencoder()
    save_network(saved, tmp_path)
    loaded = AutoencoderKL.from_pretrained(tmp_path)
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in saved.state_dict().items())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "diffusion_pytorch_model.safetensors"]


def test_a_frozen_encoder_keeps_its_latents_while_the_decoder_learns(
    sampler: CropSampler, photographs: list[np.ndarray], tmp_path: Path
) -> None:
    frozen = replace(SHORT, freeze_encoder=True)
    start = tiny_autoencoder()
    before = {name: value.clone() for name, value in start.state_dict().items()}
    after = train_autoencoder(
        start, sampler, frozen, held_out=photographs, folder=tmp_path, clock=steps_of_a_minute(3)
    ).state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed
    assert all(name.startswith("decoder.") for name in changed)


def test_the_posterior_has_the_same_deviation_everywhere(photographs: list[np.ndarray]) -> None:
    picture = to_range(centre_square(photographs[0], 64))[None]
    with torch.no_grad():
        posterior = tiny_autoencoder().encode(picture).latent_dist
    assert torch.allclose(posterior.std, torch.full_like(posterior.std, NOISE_STD))


def test_shift_and_scaling_bring_latents_to_zero_mean_and_unit_variance(photographs: list[np.ndarray]) -> None:
    autoencoder = tiny_autoencoder()
    set_latent_scale(autoencoder, photographs, side_px=64)
    squares = torch.stack([to_range(centre_square(one, 64)) for one in photographs])
    with torch.no_grad():
        latents = autoencoder.encode(squares).latent_dist.mode()
    latents = (latents - autoencoder.config["shift_factor"]) * autoencoder.config["scaling_factor"]
    assert abs(float(latents.mean())) < 1e-3
    assert abs(float(latents.std()) - 1) < 1e-3


def test_the_loss_weighs_a_shift_of_the_whole_picture_more_than_noise_of_the_same_size() -> None:
    torch.manual_seed(0)
    picture = torch.zeros(1, 3, 32, 32)
    shifted = reconstruction_loss(picture + 0.1, picture, gradient_weight=0.0)
    noisy = reconstruction_loss(picture + 0.1 * torch.randn_like(picture).sign(), picture, gradient_weight=0.0)
    assert shifted > 2 * noisy


def test_the_same_seed_gives_the_same_crops(photographs: list[np.ndarray]) -> None:
    first, second = (CropSampler(photographs, seed=7).batch(6, 48) for _ in range(2))
    assert torch.equal(first, second)
    assert first.min() >= -1
    assert first.max() <= 1


def test_a_sampler_without_photographs_is_refused() -> None:
    with pytest.raises(DataError, match="Build the pool"):
        CropSampler([], seed=0)
