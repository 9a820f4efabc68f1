"""Pictures and latents: diffusers' ``AutoencoderKL`` with the shift and scale of its config (Fig. 4, left and right)."""

from __future__ import annotations

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

__all__ = ["decode_latents", "encode_pixels"]


def encode_pixels(
    vae: AutoencoderKL,
    pixels: Float[Tensor, "batch 3 height width"],
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch channels latent_height latent_width"]:
    """Return latents of about unit variance, in fp32.

    Args:
        vae: The autoencoder.
        pixels: Pictures in -1..1 on the device that computes, sides divisible by 16.
        generator: Draw a sample of the posterior with it, as the released code does; without it the mode is taken, so that
            the reference image is the same whatever the seed.
    """
    (posterior,) = vae.encode(pixels.to(vae.dtype), return_dict=False)
    latents = posterior.mode() if generator is None else posterior.sample(generator=generator)
    return (latents.float() - vae.config["shift_factor"]) * vae.config["scaling_factor"]


def decode_latents(
    vae: AutoencoderKL, latents: Float[Tensor, "batch channels latent_height latent_width"]
) -> Float[Tensor, "batch 3 height width"]:
    """Return pictures in -1..1 (clamped), in fp32."""
    latents = latents / vae.config["scaling_factor"] + vae.config["shift_factor"]
    (pixels,) = vae.decode(latents.to(vae.dtype), return_dict=False)  # pyright: ignore[reportArgumentType]
    return pixels.float().clamp(-1, 1)
