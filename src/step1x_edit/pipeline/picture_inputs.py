"""What the networks see of a picture: the VAE's pixels and the multimodal LLM's picture, resampled as the release does it.

Editing and training both come here, so that a network is trained on what it will be shown.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from step1x_edit.pipeline.geometry import WorkingFrame
from step1x_edit.schema.release import Conventions

__all__ = ["TEXT_TO_IMAGE_PX", "llm_picture", "no_picture", "vae_pixels"]

TEXT_TO_IMAGE_PX = 1024
"""Side of the black picture that the LLM is shown without a reference image, and of the result by default."""
_FILTERS = {"lanczos": Image.Resampling.LANCZOS, "bicubic": Image.Resampling.BICUBIC}


def llm_picture(image: Image.Image, frame: WorkingFrame, conventions: Conventions) -> Image.Image:
    """Return the reference image at generation size, as the multimodal LLM gets it."""
    return frame.place(image, resample=_FILTERS[conventions.generation_filter])


def no_picture() -> Image.Image:
    """Return what the multimodal LLM is shown when there is no reference image."""
    return Image.new("RGB", (TEXT_TO_IMAGE_PX, TEXT_TO_IMAGE_PX))


def vae_pixels(image: Image.Image, frame: WorkingFrame, conventions: Conventions) -> Float[Tensor, "1 3 height width"]:
    """Return the VAE's input in -1..1, resampled as the release does it."""
    if conventions.vae_filter == "generation":
        return _tensor(llm_picture(image, frame, conventions)) * 2 - 1
    width, height = frame.content
    scaled = torch.nn.functional.interpolate(
        _tensor(image), (height, width), mode="bilinear", antialias=True, align_corners=False
    )
    right, bottom = frame.canvas[0] - width, frame.canvas[1] - height
    padded = np.pad(scaled.numpy(), ((0, 0), (0, 0), (0, bottom), (0, right)), mode="symmetric")
    return torch.from_numpy(padded) * 2 - 1


def _tensor(image: Image.Image) -> Float[Tensor, "1 3 height width"]:
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1).unsqueeze(0)
