"""How numbers are stored, and their way to a type the network computes in.

Known forms: bf16, fp16 and fp32; fp8 (e4m3) as a plain cast; fp8 with one scale per matrix, ComfyUI's ``scale_weight``
form. Every other 8-bit form is refused: reading it as one of these would give a wrong picture without an error.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from step1x_edit.errors import CheckpointError
from step1x_edit.models.checkpoint.safetensors_header import TensorInfo
from step1x_edit.models.checkpoint.source import WeightFiles

__all__ = ["DTYPES", "FP8", "StoredWeights", "stored_weights"]

FP8 = "F8_E4M3"
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Types a network may be loaded in, by their safetensors name."""

_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "model.", "first_stage_model.", "vae.", "transformer.")
"""Written in front of every name by programs that pack several models into one file."""

_MARKER = "scaled_fp8"
_SCALE = ".scale_weight"
_INPUT_SCALE = ".scale_input"
_OTHER_SCALES = (".scale_input", ".weight_scale", ".input_scale", ".scale", ".comfy_quant", ".weight_scale_inv")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWeights:
    """The network's tensors in a checkpoint, without prefix and without the bookkeeping of quantisation."""

    files: WeightFiles
    prefix: str
    tensors: dict[str, TensorInfo]
    scales: dict[str, str]
    """Weight → its scale, for the ``scale_weight`` form; empty otherwise."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name → shape of every tensor."""
        return {name: info.shape for name, info in self.tensors.items()}

    @property
    def form(self) -> str:
        """The stored type in words."""
        kinds = Counter({})
        for info in self.tensors.values():
            kinds[info.dtype] += info.numbers
        names = " + ".join(name for name, _ in kinds.most_common())
        return f"{names} with scale_weight" if self.scales else names

    @property
    def dtype(self) -> torch.dtype:
        """The type most numbers have, where fp8 counts as bf16: 8-bit numbers are stored, not computed with."""
        kinds = Counter({})
        for info in self.tensors.values():
            kinds["BF16" if info.dtype == FP8 else info.dtype] += info.numbers
        return DTYPES[kinds.most_common(1)[0][0]]

    def read(self, name: str, *, dtype: torch.dtype | None = None) -> Tensor:
        """Return one tensor in ``dtype`` (as stored when ``None``, fp8 as bf16).

        Scales are applied in fp32, before the one rounding to ``dtype``.
        """
        tensor = self.files.read(self.prefix + name)
        if name in self.scales:
            scale = self.files.read(self.scales[name])
            return (tensor.float() * scale.float().reshape(())).to(dtype or torch.bfloat16)
        if dtype is None and self.tensors[name].dtype == FP8:
            dtype = torch.bfloat16
        return tensor if dtype is None else tensor.to(dtype)


def stored_weights(files: WeightFiles) -> StoredWeights:
    """Find prefix and stored form of a checkpoint.

    Raises:
        CheckpointError: The numbers are stored in a form that is not one of the known ones.
    """
    names = [name for name in files.tensors if name != _MARKER]
    prefix = _common_prefix(names)
    tensors = {name.removeprefix(prefix): files.tensors[name] for name in names}
    tensors.pop(_MARKER, None)
    scales = {name: prefix + name for name in tensors if name.endswith(_SCALE)}
    scaled = {name.removesuffix(_SCALE) + ".weight": stored for name, stored in scales.items()}
    for name in scales:
        tensors.pop(name)
    for name in [weight.removesuffix(".weight") + _INPUT_SCALE for weight in scaled]:
        tensors.pop(name, None)  # only used by 8-bit matrix products
    marked = len(names) != len(files.tensors) or prefix + _MARKER in files.tensors
    _refuse_unknown(files, tensors, scaled, marked=marked)
    return StoredWeights(files=files, prefix=prefix, tensors=tensors, scales=scaled)


def _common_prefix(names: list[str]) -> str:
    for prefix in _PREFIXES:
        if names and all(name.startswith(prefix) for name in names):
            return prefix
    return ""


def _refuse_unknown(
    files: WeightFiles, tensors: dict[str, TensorInfo], scaled: dict[str, str], *, marked: bool
) -> None:
    for name, info in tensors.items():
        if name.endswith(_OTHER_SCALES) and name.rpartition(".")[0] + ".weight" in tensors:
            raise _unknown(files, f"the scale {name}")
        if info.dtype not in (*DTYPES, FP8):
            raise _unknown(files, f"{name} stored as {info.dtype}")
        if info.dtype == FP8 and name not in scaled and (scaled or marked):
            raise _unknown(files, f"{name} in fp8 without a scale beside matrices that have one")
    for name, stored in scaled.items():
        if name not in tensors or tensors[name].dtype != FP8:
            raise _unknown(files, f"the scale {stored} without its fp8 weight")
        if files.tensors[stored].numbers != 1:
            raise _unknown(files, f"the scale {stored} of shape {list(files.tensors[stored].shape)}")


def _unknown(files: WeightFiles, what: str) -> CheckpointError:
    return CheckpointError(
        given=f"{files.path}, which holds {what}",
        expected="bf16, fp16, fp32, plain fp8 (e4m3), or fp8 with one scale_weight for each matrix",
        remedy="Use the bf16 form of these weights, or one of the named 8-bit forms.",
    )
