"""What a run leaves: adapter files in three forms, or whole weights in both published layouts.

Everything appears whole or not at all, says which release it belongs to, and loads in the pipeline.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from step1x_edit import __version__
from step1x_edit.models.checkpoint import convert
from step1x_edit.models.checkpoint.adapter_forms import LowRankPair, kohya_tensors, own_tensors, peft_tensors
from step1x_edit.models.checkpoint.loading import empty_transformer, transformer_entries
from step1x_edit.models.checkpoint.record import metadata_of, sizes_of
from step1x_edit.models.checkpoint.source import CONFIG_NAME, WEIGHTS_NAME, find_weights
from step1x_edit.models.checkpoint.tables import SCALE_FACTOR_RELEASES
from step1x_edit.models.checkpoint.writing import refuse_overwrite, replaced_file, write_safetensors
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.presets.releases import find_release
from step1x_edit.training.methods.lora import ADAPTER

__all__ = ["KOHYA_FILE", "OWN_FILE", "PEFT_FILE", "base_sha256", "export_adapter", "export_weights", "learned_pairs"]

OWN_FILE = "adapter.safetensors"
PEFT_FILE = "pytorch_lora_weights.safetensors"
"""The name diffusers looks for in a folder."""
KOHYA_FILE = "adapter-kohya.safetensors"
SINGLE_FILE = "transformer-official.safetensors"


def base_sha256(path: Path, *, release: str) -> str:
    """Return the SHA-256 of the transformer's weight file; of several shards, that of their sums in order of names.

    Args:
        path: Weights as :func:`~step1x_edit.models.checkpoint.load_transformer` takes them.
        release: Id of the release.
    """
    files = find_weights(path, part="transformer", file_name=find_release(release).files.get("transformer"))
    sums = []
    for header in sorted(files.headers, key=lambda header: header.path.name):
        with header.path.open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").hexdigest())
    return sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()


def export_adapter(
    transformer: Step1XEditTransformer2DModel,
    folder: Path,
    *,
    base: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Path, ...]:
    """Write the adapter that was trained, in three forms that change the network alike.

    Args:
        transformer: The network with its adapters as :func:`.methods.lora.add_adapters` put them there.
        folder: Where the files go; older ones are replaced. :data:`OWN_FILE` keeps what was trained, :data:`PEFT_FILE` is
            for ``load_lora_weights`` and most programs, :data:`KOHYA_FILE` has the published adapters' names.
        base: SHA-256 of the weights it was trained on (:func:`base_sha256`).
        dtype: Type of the matrices in the files: fp32, bf16 or fp16.

    Returns:
        The files, in that order.

    Raises:
        RequestError: The folder cannot be written.
    """
    pairs = learned_pairs(transformer)
    facts = _facts(transformer, pairs, base)
    _write(folder / OWN_FILE, own_tensors(pairs), dtype, facts)
    _write(folder / PEFT_FILE, peft_tensors(pairs), dtype, facts | _peft_settings(pairs))
    table = transformer_entries(empty_transformer(transformer.config))
    _write(folder / KOHYA_FILE, kohya_tensors(pairs, table), dtype, facts | _kohya_settings(facts))
    return folder / OWN_FILE, folder / PEFT_FILE, folder / KOHYA_FILE


def learned_pairs(transformer: Step1XEditTransformer2DModel) -> tuple[LowRankPair, ...]:
    """Return the matrices of the adapter that was trained, on the CPU, in the network's order."""
    from peft.tuners.lora import LoraLayer

    return tuple(
        LowRankPair(
            module=name,
            down=_matrix(layer.lora_A[ADAPTER]),
            up=_matrix(layer.lora_B[ADAPTER]),
            alpha=float(layer.lora_alpha[ADAPTER]),
        )
        for name, layer in transformer.named_modules()
        if isinstance(layer, LoraLayer) and ADAPTER in layer.lora_A
    )


def export_weights(
    transformer: Step1XEditTransformer2DModel,
    folder: Path,
    *,
    dtype: torch.dtype | None = None,
    single_file: bool = False,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write whole weights as a folder in diffusers layout, its ``config.json`` with release and conventions.

    Args:
        transformer: The network, without adapters.
        folder: Where to write; give it as ``weights`` to load it.
        dtype: Type to write; by default the network's.
        single_file: Also write :data:`SINGLE_FILE` with the official names into it.
        force: Whether an existing folder's files may be replaced.

    Returns:
        The files written.

    Raises:
        RequestError: The files exist and ``force`` is false, or the folder cannot be written.
    """
    release = transformer.config["release"]
    dtype = dtype or transformer.dtype
    tensors = transformer.state_dict()
    places = [folder / WEIGHTS_NAME, folder / CONFIG_NAME] + [folder / SINGLE_FILE] * single_file
    refuse_overwrite(*places, force=force)
    metadata = metadata_of(
        release=release,
        layout="diffusers",
        folded=release in SCALE_FACTOR_RELEASES,
        sizes=sizes_of(transformer.config),
    )
    _write(folder / WEIGHTS_NAME, tensors, dtype, metadata | {"step1x_edit": __version__})
    with replaced_file(folder / CONFIG_NAME) as file:
        file.write(transformer.to_json_string().encode())
    if single_file:
        convert(folder, folder / SINGLE_FILE, release=release, to="official", force=force)
    return tuple(places)


def _matrix(linear: torch.nn.Module) -> Tensor:
    assert isinstance(linear, torch.nn.Linear)
    return linear.weight.detach().float().cpu()


def _facts(transformer: Step1XEditTransformer2DModel, pairs: Sequence[LowRankPair], base: str | None) -> dict[str, str]:
    """What every adapter file says about itself."""
    facts = {
        "format": "pt",
        "release": str(transformer.config["release"]),
        "rank": _listed(pair.rank for pair in pairs),
        "alpha": _listed(pair.alpha for pair in pairs),
        "step1x_edit": __version__,
    }
    return facts | ({"base_sha256": base} if base else {})


def _peft_settings(pairs: Sequence[LowRankPair]) -> dict[str, str]:
    """Settings for diffusers' loader: alpha equals rank everywhere, since the scale is in the matrices."""
    ((usual, _),) = Counter(pair.rank for pair in pairs).most_common(1)
    others = {f"^{pair.module}": pair.rank for pair in pairs if pair.rank != usual}
    settings = {
        "peft_type": "LORA",
        "r": usual,
        "lora_alpha": usual,
        "rank_pattern": others,
        "alpha_pattern": others,
        "target_modules": [pair.module for pair in pairs],
    }
    return {"lora_adapter_metadata": json.dumps({f"transformer.{key}": value for key, value in settings.items()})}


def _kohya_settings(facts: Mapping[str, str]) -> dict[str, str]:
    return {"ss_network_dim": facts["rank"], "ss_network_alpha": facts["alpha"]}


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(set(values)))


def _write(target: Path, tensors: Mapping[str, Tensor], dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
    write_safetensors(
        target,
        shapes={name: tuple(tensor.shape) for name, tensor in tensors.items()},
        tensors=((name, tensor.detach().to("cpu", dtype)) for name, tensor in tensors.items()),
        dtype=dtype,
        metadata=metadata,
    )
