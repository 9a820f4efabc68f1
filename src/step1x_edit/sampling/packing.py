"""Latents as a sequence of tokens, one for each 2 x 2 patch."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from step1x_edit.errors import ShapeError

__all__ = ["PATCH", "pack_latents", "unpack_latents"]

PATCH = 2
"""Latent pixels of one packed token's side."""


def pack_latents(
    latents: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch tokens packed_channels"]:
    """Lay latents out as a sequence, one token for each 2 x 2 patch.

    Tokens follow the patches row by row; inside a token, channels vary slowest.

    Args:
        latents: VAE latents after shift and scale (about unit variance). One latent pixel stands for 8 x 8 image pixels.

    Returns:
        Packed tokens. A 1024 x 1024 image gives 4096 tokens of 64 channels.

    Raises:
        ShapeError: Height or width is odd, so a patch would be cut.

    Source:
        Step1X-Edit report (arXiv:2504.17761), Fig. 4; token layout of FLUX.1.
    """
    height, width = latents.shape[-2:]
    if height % PATCH or width % PATCH:
        raise ShapeError(
            given=f"latents of {height} x {width}",
            expected=f"height and width divisible by {PATCH}",
            remedy="Resize the reference image to multiples of 16 pixels before encoding it.",
        )
    return pixel_unshuffle(latents, PATCH).flatten(2).transpose(1, 2)


def unpack_latents(
    tokens: Float[Tensor, "batch tokens packed_channels"], *, rows: int, columns: int
) -> Float[Tensor, "batch channels height width"]:
    """Undo :func:`pack_latents`.

    Args:
        tokens: Packed tokens, row by row.
        rows: Token rows; the latents get twice as many.
        columns: Token columns.

    Raises:
        ShapeError: The number of tokens is not ``rows * columns``.
    """
    if tokens.shape[1] != rows * columns:
        raise ShapeError(
            given=f"{tokens.shape[1]} tokens for a grid of {rows} x {columns}",
            expected=f"{rows * columns} tokens",
            remedy="Pass the target tokens only, without the reference tokens.",
        )
    return pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (rows, columns)), PATCH)
