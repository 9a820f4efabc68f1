"""The VAE equals the released autoencoder: latents within 1e-5, pictures within 1e-4."""

import pytest
import torch
from torch.testing import assert_close

from step1x_edit.models.vae import decode_latents, encode_pixels

LATENTS = {"rtol": 0, "atol": 1e-5}
PICTURES = {"rtol": 0, "atol": 1e-4}


@torch.no_grad()
def test_encoding_equals_the_released_one(vector_vae, vector):
    values = vector("vae_tiny_io.safetensors")
    assert_close(encode_pixels(vector_vae, values["image"]), values["latent_mean_scaled"], **LATENTS)
    posterior = vector_vae.encode(values["image"]).latent_dist
    assert_close(posterior.parameters, values["moments"], **LATENTS)
    sample = posterior.mean + posterior.std * values["sample_eps"]
    scaled = (sample - vector_vae.config.shift_factor) * vector_vae.config.scaling_factor
    assert_close(scaled, values["latent_sample_scaled"], **LATENTS)


@torch.no_grad()
def test_a_generator_draws_a_sample_of_the_posterior(vector_vae, vector):
    values = vector("vae_tiny_io.safetensors")
    noise = torch.randn(values["mean"].shape, generator=torch.Generator().manual_seed(3))
    drawn = encode_pixels(vector_vae, values["image"], generator=torch.Generator().manual_seed(3))
    expected = values["mean"] + (values["logvar"] / 2).exp() * noise
    assert_close(drawn, (expected - 0.1159) * 0.3611, **LATENTS)


@torch.no_grad()
@pytest.mark.parametrize(("latents", "pictures"), [("latent_mean_scaled", "decoded"), ("decode2_in", "decode2_out")])
def test_decoding_equals_the_released_one(vector_vae, vector, latents, pictures):
    values = vector("vae_tiny_io.safetensors")
    unclamped = vector_vae.decode(values[latents] / 0.3611 + 0.1159).sample
    assert_close(unclamped, values[pictures], **PICTURES)
    assert_close(decode_latents(vector_vae, values[latents]), values[pictures].clamp(-1, 1), **PICTURES)
