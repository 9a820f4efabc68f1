"""Weights kept in eight bits: a safetensors file in which every matrix is int8 with one float32 scale for each row.

Beside a matrix ``name`` lies its ``name.row_scale``; everything else is stored as it is. Half the size of bfloat16, and
read back by one multiplication. The largest error of a weight is half a step: the row's largest magnitude / 254.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float, Int8
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from step1x_edit.errors import CheckpointError, MissingRelease

__all__ = ["dequantise_rows", "quantise_rows", "read_quantised", "write_quantised"]

LARGEST = 127
SCALE_SUFFIX = ".row_scale"


def quantise_rows(weight: Float[Tensor, "rows columns"]) -> tuple[Int8[Tensor, "rows columns"], Float[Tensor, " rows"]]:
    """Round a matrix to int8, symmetrically, each row by its own scale.

    Args:
        weight: Any finite matrix.

    Returns:
        The integers in -127..127 and the float32 scale of each row; a row of zeros has scale 1.
    """
    magnitude = weight.float().abs().amax(dim=1)
    scale = torch.where(magnitude > 0, magnitude / LARGEST, 1.0)
    return torch.round(weight.float() / scale[:, None]).to(torch.int8), scale


def dequantise_rows(
    values: Int8[Tensor, "rows columns"], scale: Float[Tensor, " rows"], *, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "rows columns"]:
    """Undo :func:`quantise_rows` up to its rounding; the product is formed in float32, then cast."""
    return (values.to(torch.float32) * scale[:, None]).to(dtype)


def write_quantised(state: dict[str, Tensor], path: Path, *, metadata: dict[str, str]) -> None:
    """Write weights in eight bits: matrices by rows, the rest in float32. The file appears whole or not at all.

    Args:
        state: Name to weight.
        path: Where the safetensors file goes; an older one is replaced.
        metadata: What the file should say about itself (source, licence).
    """
    stored: dict[str, Tensor] = {}
    for name, weight in state.items():
        if weight.ndim == 2:
            stored[name], stored[name + SCALE_SUFFIX] = quantise_rows(weight)
        else:
            stored[name] = weight.float().contiguous()
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(save(stored, metadata=metadata))
    partial.replace(path)


def read_quantised(path: Path, *, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Read weights written by :func:`write_quantised`; a file without scales is read as it is, in ``dtype``.

    Args:
        path: The safetensors file.
        dtype: Type of the returned weights.

    Returns:
        Name to weight, the scales multiplied in.

    Raises:
        MissingRelease: There is no such file.
        CheckpointError: The file is broken, or a matrix and its scale do not belong together.
    """
    stored = _load(path)
    scales = {name: stored.pop(name) for name in list(stored) if name.endswith(SCALE_SUFFIX)}
    integers = {name + SCALE_SUFFIX for name, weight in stored.items() if weight.dtype == torch.int8}
    if integers != scales.keys():
        raise CheckpointError(
            given=f"{path} where matrices and scales differ in {sorted(integers ^ scales.keys())}",
            expected="one scale for each int8 matrix",
            remedy="Install the package again or make the file anew.",
        )
    return {
        name: _restored(path, name, weight, scales.get(name + SCALE_SUFFIX), dtype) for name, weight in stored.items()
    }


def _load(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise MissingRelease(
            given=str(path),
            expected="a safetensors file of weights",
            remedy="Install the package again, or give its folder.",
        )
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(
            given=f"{path} ({error})", expected="a whole safetensors file", remedy="Get the file again; it is broken."
        ) from error


def _restored(path: Path, name: str, weight: Tensor, scale: Tensor | None, dtype: torch.dtype) -> Tensor:
    if scale is None:
        return weight.to(dtype)
    if scale.shape != weight.shape[:1]:
        raise CheckpointError(
            given=f"{name} of {tuple(weight.shape)} with scales of {tuple(scale.shape)} in {path}",
            expected="one scale for each row",
            remedy="Install the package again or make the file anew.",
        )
    return dequantise_rows(weight, scale, dtype=dtype)
