"""Buckets: at which size a pair is trained, and on which grid of tokens; pairs of one grid can share a batch.

An editing pair lies in exactly the frame that the pipeline would give its target: scaled to an area of at most the size level
squared, padded by reflection up to multiples of 16 px. So nothing is bent or cut, the network sees at training what it will
see at inference, and the sides' rounding to tokens is what makes the buckets. A text-to-image target has no padding at
inference; it covers its grid, and up to one token's width is cut off at opposite sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from step1x_edit.errors import DataError
from step1x_edit.pipeline.geometry import WorkingFrame, exact_frame
from step1x_edit.sampling.resolution import GRID_PX, generation_size
from step1x_edit.training.pairs.pair import TrainingPair

__all__ = ["ASPECT_TOLERANCE", "FramedPair", "aspect_difference", "frame_of", "framed"]

ASPECT_TOLERANCE = 0.02
"""By how much the reference image's aspect ratio may differ from the target's: what rounding sides to 16 px does at most to
pictures of 800 px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedPair:
    """A pair and the frame that its pictures are brought to."""

    frame: WorkingFrame
    reference: Image.Image | None
    target: Image.Image
    changed: Float[Tensor, " tokens"] | None
    """Share of each token's pixels that the mask holds, where there is a reference image and a mask."""


def frame_of(target_size: tuple[int, int], *, size_level: int, has_reference: bool) -> WorkingFrame:
    """Return the frame of a pair, by the (width, height) of its target.

    Raises:
        RequestError: A side would be shorter than one token.
    """
    if has_reference:
        return exact_frame(*target_size, size_level=size_level)
    canvas = generation_size(*target_size, size_level=size_level)
    scale = min(have / wanted for have, wanted in zip(target_size, canvas, strict=True))
    kept = max(1, round(canvas[0] * scale)), max(1, round(canvas[1] * scale))
    return WorkingFrame(original=kept, content=canvas, canvas=canvas)


def framed(pair: TrainingPair, *, size_level: int) -> FramedPair:
    """Bring a pair to its frame; a reference image of another size is scaled to the target's.

    Raises:
        DataError: The reference image or the mask has another shape than the target.
    """
    frame = frame_of(pair.target.size, size_level=size_level, has_reference=pair.reference is not None)
    if pair.reference is None:
        return FramedPair(frame=frame, reference=None, target=_cut(pair.target, frame.original), changed=None)
    _require_alike(pair, pair.reference.size, "the reference image")
    if pair.mask is not None:
        _require_alike(pair, (pair.mask.shape[1], pair.mask.shape[0]), "the mask")
    changed = None if pair.mask is None else _shares(pair.mask, frame)
    return FramedPair(frame=frame, reference=pair.reference, target=pair.target, changed=changed)


def aspect_difference(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Return by which share two aspect ratios (of width and height) differ; 0 for the same."""
    first, second = one[0] / one[1], other[0] / other[1]
    return max(first, second) / min(first, second) - 1


def _require_alike(pair: TrainingPair, size: tuple[int, int], what: str) -> None:
    if aspect_difference(size, pair.target.size) > ASPECT_TOLERANCE:
        raise DataError(
            given=f"{pair.origin}, where {what} has {size[0]} x {size[1]} px and the target "
            f"{pair.target.width} x {pair.target.height}",
            expected=f"one shape (up to {ASPECT_TOLERANCE:.0%})",
            remedy="Crop both alike, or take the pair out; `step1x train check` lists all such pairs.",
        )


def _cut(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    if picture.size == size:
        return picture
    left, top = (picture.width - size[0]) // 2, (picture.height - size[1]) // 2
    return picture.crop((left, top, left + size[0], top + size[1]))


def _shares(mask: Bool[np.ndarray, "height width"], frame: WorkingFrame) -> Float[Tensor, " tokens"]:
    picture = Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB")
    placed = np.asarray(frame.place(picture, resample=Image.Resampling.BOX))[..., 0]
    rows, columns = frame.canvas[1] // GRID_PX, frame.canvas[0] // GRID_PX
    cells = torch.from_numpy(placed.astype(np.float32) / 255).reshape(rows, GRID_PX, columns, GRID_PX)
    return cells.mean(dim=(1, 3)).flatten()
