"""Frozen weights under adapters, stored in as many bits as the memory at hand allows.

fp8 (e4m3) and int8 hold one scale for each row and compute in the surrounding type (torchao, weight only); nf4 holds one
scale for 64 weights (bitsandbytes). Only the linear layers of blocks and connector are stored so, 99 percent of the
published weights. Relative error of nano's velocity with fp32 around: int8 0.015, fp8 0.049, nf4 0.19.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from step1x_edit.errors import RequestError
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.training.methods.packages import training_package

__all__ = ["Base", "StoredWeights", "store_base", "stored_bytes"]

Base = Literal["bf16", "fp32", "fp8", "int8", "nf4"]

_WHOLE = {"bf16": torch.bfloat16, "fp32": torch.float32}
_STORED = ("transformer_blocks.", "single_transformer_blocks.", "connector.")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWeights:
    """What storing a base came to, measured."""

    base: Base
    layers: int
    """Linear layers in fewer bits."""
    bytes_before: int
    bytes_after: int


def store_base(
    transformer: Step1XEditTransformer2DModel,
    base: Base,
    *,
    compute_dtype: torch.dtype = torch.bfloat16,
    device: torch.device | None = None,
) -> StoredWeights:
    """Freeze a network and store its weights in the asked form; do it before adapters are added.

    Args:
        transformer: The network; it is changed in place, layer by layer.
        base: Stored form. bf16 and fp32 cast everything.
        compute_dtype: Type of activations and of what stays unquantised under fp8, int8 and nf4.
        device: Where the network goes. It gets there layer by layer, each quantised on arrival, so that a network that fits
            in few bits is never there in 16.

    Returns:
        Bytes of all weights before and after.

    Raises:
        MissingExtra: torchao (fp8, int8) or bitsandbytes (nf4) is not installed.
        RequestError: This machine cannot hold or use that form.
    """
    before = stored_bytes(transformer)
    transformer.requires_grad_(False)
    layers = 0
    if base in _WHOLE:
        _move(transformer, dtype=_WHOLE[base], device=device)
    else:
        _move(transformer, dtype=compute_dtype)
        layers = _STORES[base](transformer, device)
        _move(transformer, device=device)
        _require_use(transformer, base)
    stored = StoredWeights(base=base, layers=layers, bytes_before=before, bytes_after=stored_bytes(transformer))
    log.info("base %s: %.2f GiB of weights", base, stored.bytes_after / 2**30)
    return stored


def stored_bytes(network: nn.Module) -> int:
    """Return the bytes that a network's parameters and buffers take, scales of quantised ones included."""
    return sum(_bytes(tensor) for tensor in (*network.parameters(), *network.buffers()))


def _bytes(tensor: Tensor) -> int:
    parts = getattr(tensor, "__tensor_flatten__", None)
    if parts is not None:  # torchao's values and scales
        return sum(_bytes(getattr(tensor, name)) for name in parts()[0])
    size = tensor.numel() * tensor.element_size()
    state = getattr(tensor, "quant_state", None)
    while state is not None:  # bitsandbytes stores the scales' own scales too.
        size += _bytes(state.absmax) + _bytes(state.code)
        state = state.state2
    return size


def _move(network: nn.Module, *, dtype: torch.dtype | None = None, device: torch.device | None = None) -> None:
    # diffusers' own ``to`` warns of modules to keep in fp32 even where there are none.
    nn.Module.to(network, device=device, dtype=dtype)


def _is_stored(module: nn.Module, name: str) -> bool:
    return isinstance(module, nn.Linear) and name.startswith(_STORED)


def _store_fp8(transformer: nn.Module, device: torch.device | None) -> int:
    return _store_torchao(transformer, device, "Float8WeightOnlyConfig")


def _store_int8(transformer: nn.Module, device: torch.device | None) -> int:
    return _store_torchao(transformer, device, "Int8WeightOnlyConfig")


def _store_torchao(transformer: nn.Module, device: torch.device | None, form: str) -> int:
    library = training_package("torchao.quantization")
    library.quantize_(transformer, getattr(library, form)(), filter_fn=_is_stored, device=device)
    return sum(_is_stored(module, name) for name, module in transformer.named_modules())


def _store_nf4(transformer: nn.Module, device: torch.device | None) -> int:
    library = training_package("bitsandbytes")
    layers = [(name, module) for name, module in transformer.named_modules() if _is_stored(module, name)]
    for name, layer in layers:
        parent, _, leaf = name.rpartition(".")
        setattr(transformer.get_submodule(parent), leaf, _four_bits(library, layer, device))
    # peft asks the network, not the layer, whether to look for four bits.
    transformer.is_loaded_in_4bit = True  # pyright: ignore[reportArgumentType] - a flag, not a module
    return len(layers)


def _four_bits(library: Any, layer: nn.Module, device: torch.device | None) -> nn.Module:
    assert isinstance(layer, nn.Linear)
    weight = layer.weight
    stored = library.nn.Linear4bit(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        compute_dtype=weight.dtype,
        quant_type="nf4",
        device="meta",
    )
    stored.weight = library.nn.Params4bit(weight.detach(), requires_grad=False, quant_type="nf4", module=stored)
    stored.bias = layer.bias
    return stored.to(device or weight.device)


_STORES: dict[str, Callable[[nn.Module, torch.device | None], int]] = {
    "fp8": _store_fp8,
    "int8": _store_int8,
    "nf4": _store_nf4,
}


def _require_use(transformer: nn.Module, base: Base) -> None:
    """Multiply once with a stored layer, forward and backward: kernels for it may be absent from this machine."""
    layer = next((module for name, module in transformer.named_modules() if _is_stored(module, name)), None)
    if layer is None:
        return
    assert isinstance(layer, nn.Linear)
    device = layer.bias.device if layer.bias is not None else None
    values = torch.ones(1, 2, layer.in_features, dtype=layer.bias.dtype, device=device, requires_grad=True)
    try:
        with torch.enable_grad():
            layer(values).sum().backward()
    except (RuntimeError, NotImplementedError, ImportError) as error:
        raise RequestError(
            given=f"model.base = {base} on {device} ({' '.join(str(error).split())[:160]})",
            expected="a form that this machine can multiply with",
            remedy="Set model.base to int8 or bf16.",
        ) from error
