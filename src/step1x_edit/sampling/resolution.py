"""Sizes: at which a picture is generated, and at which the multimodal LLM sees it."""

from __future__ import annotations

import math

from step1x_edit.errors import RequestError

__all__ = ["GRID_PX", "fitted_mllm_size", "generation_size", "rounded_mllm_size"]

GRID_PX = 16
"""Pixels of one packed token's side: 8 x 8 by the VAE, 2 x 2 by packing."""

_FETCH_MIN_PATCHES = 4
_FETCH_MAX_PATCHES = 16384


def generation_size(width: int, height: int, *, size_level: int) -> tuple[int, int]:
    """Return the working size (width, height) in pixels: area near ``size_level`` squared, sides on the grid of 16.

    The longer side is rounded up first and the shorter follows from it, then both are floored to the grid, so the aspect
    ratio can bend by a few percent.

    Args:
        width: Width of the reference image in pixels.
        height: Height of the reference image in pixels.
        size_level: Side in pixels of a square with the wanted area.

    Raises:
        RequestError: A side would be shorter than one token.

    Source:
        ``input_process_image`` of the released code.
    """
    ratio = width / height
    if width > height:
        long_side = math.ceil(math.sqrt(size_level * size_level * ratio))
        working = long_side, math.ceil(long_side / ratio)
    else:
        long_side = math.ceil(math.sqrt(size_level * size_level / ratio))
        working = math.ceil(long_side * ratio), long_side
    on_grid = working[0] - working[0] % GRID_PX, working[1] - working[1] % GRID_PX
    if min(on_grid) < GRID_PX:
        raise RequestError(
            given=f"a picture of {width} x {height} px at size level {size_level}",
            expected=f"sides of at least {GRID_PX} px at the working size",
            remedy="Use a larger size level or crop the picture to a less extreme shape.",
        )
    return on_grid


def rounded_mllm_size(width: int, height: int, *, patch_px: int) -> tuple[int, int]:
    """Return the size (width, height) to which v1.x brings a picture before the LLM's own image processor.

    Each side is rounded half to even to a multiple of ``patch_px``; the area stays within 4 and 16384 patches.

    Source:
        The image fetch of qwen-vl-utils 0.0.10, as the released conditioner calls it.
    """
    return fitted_mllm_size(
        width,
        height,
        patch_px=patch_px,
        min_pixels=_FETCH_MIN_PATCHES * patch_px**2,
        max_pixels=_FETCH_MAX_PATCHES * patch_px**2,
        at_least_one_patch=True,
    )


def fitted_mllm_size(
    width: int, height: int, *, patch_px: int, min_pixels: int, max_pixels: int, at_least_one_patch: bool = False
) -> tuple[int, int]:
    """Return the size (width, height) at which Qwen2.5-VL's image processor shows a picture to the vision tower.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        patch_px: Pixels of one LLM token's side (28).
        min_pixels: Smallest area; smaller pictures are enlarged.
        max_pixels: Largest area; larger pictures are reduced.
        at_least_one_patch: Whether a side may not round down to nothing before the area is looked at.

    Source:
        ``smart_resize`` of the Qwen2-VL image processor.
    """
    floor = patch_px if at_least_one_patch else 0
    fitted_width = max(floor, round(width / patch_px) * patch_px)
    fitted_height = max(floor, round(height / patch_px) * patch_px)
    if fitted_width * fitted_height > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        return _down(width / shrink, patch_px), _down(height / shrink, patch_px)
    if fitted_width * fitted_height < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        return math.ceil(width * grow / patch_px) * patch_px, math.ceil(height * grow / patch_px) * patch_px
    return fitted_width, fitted_height


def _down(side: float, patch_px: int) -> int:
    return max(patch_px, math.floor(side / patch_px) * patch_px)
