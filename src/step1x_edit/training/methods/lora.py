"""Adapters (peft) on linear layers of the transformer, its connector and the multimodal LLM.

The released script adapts the linear layers of the double and single blocks; so does this without further words. A pattern
is a module's name, its last parts as in PEFT's lists (``to_q``), or either with ``*`` (``transformer_blocks.1*.attn.*``).
Modules of the multimodal LLM are called ``text_encoder.`` and their name in it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

import torch
from torch import nn

from step1x_edit.errors import RequestError
from step1x_edit.models.checkpoint.layout import FOLDED_WEIGHT
from step1x_edit.models.checkpoint.tables import SCALE_FACTOR_RELEASES
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.training.config import LoraConfig
from step1x_edit.training.methods.full import CONNECTOR, in_part

__all__ = [
    "ADAPTER",
    "TEXT_ENCODER",
    "adapted_modules",
    "adapter_parameters",
    "add_adapters",
    "refuse_cached_conditioning",
]

ADAPTER = "default"
"""Name of the adapter that learns, PEFT's own default."""

TEXT_ENCODER = "text_encoder."
"""Beginning of the multimodal LLM's names in patterns and in adapter files."""

_BLOCKS = ("transformer_blocks.", "single_transformer_blocks.")
_LLM_LAYERS = "language_model.layers."
_FOLDED = FOLDED_WEIGHT.removesuffix(".weight")

Value = TypeVar("Value", int, float)


def add_adapters(
    transformer: Step1XEditTransformer2DModel,
    config: LoraConfig,
    *,
    train: Sequence[str],
    seed: int,
    text_encoder: nn.Module | None = None,
) -> list[tuple[str, nn.Parameter]]:
    """Freeze the networks and put adapters on their linear layers.

    Args:
        transformer: The network, in whatever form its frozen weights are stored (:mod:`.bases`).
        config: Rank, alpha, dropout, and which modules.
        train: Parts that get adapters: ``transformer`` (without the connector), ``connector``, ``text_encoder``.
        seed: Of the adapters' first weights; the random state outside is left alone. A fresh adapter changes nothing.
        text_encoder: The multimodal LLM, needed when ``train`` names it.

    Returns:
        Names and parameters that learn, fp32, always in the same order.

    Raises:
        RequestError: A pattern fits no linear layer of these parts, or the multimodal LLM is not at hand.
    """
    modules = adapted_modules(transformer, config, train=train, text_encoder=text_encoder)
    ranks = _by_module(modules, config.rank_pattern, config.rank, "lora.rank_pattern")
    alphas = _by_module(modules, config.alpha_pattern, config.alpha, "lora.alpha_pattern")
    learning = []
    for network, prefix in ((transformer, ""), (text_encoder, TEXT_ENCODER)):
        if network is None:
            continue
        network.requires_grad_(False)
        inside = [name for name in modules if name.startswith(TEXT_ENCODER) == bool(prefix)]
        if not inside:
            continue
        settings = {name.removeprefix(prefix): (ranks[name], alphas[name]) for name in inside}
        _inject(network, settings, dropout=config.dropout, seed=seed)
        learning += [(prefix + name, value) for name, value in network.named_parameters() if value.requires_grad]
    return learning


def adapted_modules(
    transformer: Step1XEditTransformer2DModel,
    config: LoraConfig,
    *,
    train: Sequence[str],
    text_encoder: nn.Module | None = None,
) -> tuple[str, ...]:
    """Return the names of the linear layers that get adapters, in the networks' order.

    Raises:
        RequestError: As :func:`add_adapters`.
    """
    choices = _linear_layers(transformer, train, text_encoder)
    if not config.targets:
        folded = transformer.config.get("release") in SCALE_FACTOR_RELEASES
        return tuple(name for name in choices if _by_default(name) and not (folded and name == _FOLDED))
    found = tuple(name for name in choices if any(_fits(name, pattern) for pattern in config.targets))
    for pattern in config.targets:
        if not any(_fits(name, pattern) for name in choices):
            raise _fits_nothing(pattern, "lora.targets", choices)
    if _FOLDED in found and transformer.config.get("release") in SCALE_FACTOR_RELEASES:
        raise RequestError(
            given=f"lora.targets with {_FOLDED}, into which this release's scale factor is folded",
            expected="other modules, since such an adapter would not fit the published file",
            remedy=f"Name the connector's modules without {_FOLDED}.",
        )
    return found


def adapter_parameters(transformer: Step1XEditTransformer2DModel, config: LoraConfig, *, train: Sequence[str]) -> int:
    """Return how many values adapters on these parts will have; the network may be without memory (meta device).

    Raises:
        RequestError: As :func:`add_adapters`.
    """
    modules = adapted_modules(transformer, config, train=train)
    ranks = _by_module(modules, config.rank_pattern, config.rank, "lora.rank_pattern")
    layers = {name: layer for name, layer in transformer.named_modules() if isinstance(layer, nn.Linear)}
    return sum(rank * (layers[name].in_features + layers[name].out_features) for name, rank in ranks.items())


def refuse_cached_conditioning(train: Sequence[str]) -> None:
    """Stop a run that would train the multimodal LLM on conditioning computed before.

    Raises:
        RequestError: ``train`` names the multimodal LLM.
    """
    if "text_encoder" in train:
        raise RequestError(
            given="model.train with text_encoder in a run that reads cached conditioning",
            expected="conditioning computed anew at each step, since adapters on the multimodal LLM change it",
            remedy="Take text_encoder out of model.train; the transformer and the connector learn from the cache.",
        )


def _linear_layers(
    transformer: Step1XEditTransformer2DModel, train: Sequence[str], text_encoder: nn.Module | None
) -> list[str]:
    parts = [part for part in train if part != "text_encoder"]
    names = [name for name in _linears(transformer) if any(in_part(name, part) for part in parts)]
    if "text_encoder" in train:
        if text_encoder is None:
            raise RequestError(
                given="adapters on text_encoder without the multimodal LLM",
                expected="the multimodal LLM beside the transformer",
                remedy="Load it, or take text_encoder out of model.train.",
            )
        names += [TEXT_ENCODER + name for name in _linears(text_encoder) if name != "lm_head"]
    return names


def _linears(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]


def _by_default(name: str) -> bool:
    if name.startswith(TEXT_ENCODER):
        return _LLM_LAYERS in name
    return name.startswith((*_BLOCKS, CONNECTOR))


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"*.{pattern}")


def _by_module(modules: Iterable[str], patterns: Mapping[str, Value], usual: Value, where: str) -> dict[str, Value]:
    """Return each module's value: that of the first pattern that fits, else the usual one."""
    modules = tuple(modules)
    for pattern in patterns:
        if not any(_fits(name, pattern) for name in modules):
            raise _fits_nothing(pattern, where, modules)
    return {name: next((patterns[key] for key in patterns if _fits(name, key)), usual) for name in modules}


def _inject(network: nn.Module, settings: Mapping[str, tuple[int, float]], *, dropout: float, seed: int) -> None:
    """Let peft wrap exactly these modules."""
    from peft import LoraConfig as PeftConfig
    from peft import inject_adapter_in_model

    exact = {f"^{re.escape(name)}": pair for name, pair in settings.items()}
    peft_config = PeftConfig(
        target_modules="|".join(re.escape(name) for name in settings),
        lora_dropout=dropout,
        rank_pattern={key: rank for key, (rank, _) in exact.items()},
        alpha_pattern={key: alpha for key, (_, alpha) in exact.items()},
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        # Merging into a quantised base is refused by peft; ours is merged into the published weights.
        warnings.filterwarnings("ignore", message=".*get_apply_tensor_subclass")
        torch.manual_seed(seed)
        if isinstance(network, Step1XEditTransformer2DModel):
            network.add_adapter(peft_config, ADAPTER)
        else:
            inject_adapter_in_model(peft_config, network, ADAPTER)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _fits_nothing(pattern: str, where: str, modules: Sequence[str]) -> RequestError:
    some = ", ".join(modules[:: max(1, len(modules) // 3)][:3]) or "none"
    return RequestError(
        given=f"{where} with {pattern!r}, which fits no linear layer of the trained parts",
        expected=f"names such as {some}",
        remedy="Correct the pattern, or name the part that holds the layer in model.train.",
    )
