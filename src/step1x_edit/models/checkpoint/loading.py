"""Weight files become networks: built empty, matched strictly, then filled tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

from step1x_edit.errors import CheckpointError
from step1x_edit.models.checkpoint.entries import Entry, entries
from step1x_edit.models.checkpoint.layout import Checkpoint, expected_shapes, part_and_layout
from step1x_edit.models.checkpoint.record import check_release, read_record, resolve_config
from step1x_edit.models.checkpoint.source import Part, WeightFiles, find_weights
from step1x_edit.models.checkpoint.stored_form import StoredWeights, stored_weights
from step1x_edit.models.checkpoint.strict import require_match
from step1x_edit.models.checkpoint.tables import SCALE_FACTOR, SCALE_FACTOR_RELEASES, TRANSFORMER, vae_rules
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.presets.releases import find_release

__all__ = [
    "PUBLISHED_VAE",
    "empty_transformer",
    "empty_vae",
    "load_transformer",
    "load_vae",
    "open_transformer",
    "open_vae",
    "transformer_entries",
    "vae_arguments",
]

PUBLISHED_VAE: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 16,
    "sample_size": 1024,
    "scaling_factor": 0.3611,
    "shift_factor": 0.1159,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
"""Arguments of diffusers' autoencoder for the published VAE (FLUX.1's)."""


def load_transformer(
    path: str | Path,
    *,
    release: str,
    config: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = None,
) -> Step1XEditTransformer2DModel:
    """Load a transformer from the published single file or a diffusers folder, in evaluation mode.

    Args:
        path: A safetensors file in official or diffusers names, a folder in diffusers form (sharded or not), or a whole
            release folder.
        release: Id of the release the weights belong to; shapes do not tell.
        config: Sizes that differ from the published ones, by the names of the published ``config.json``.
        dtype: Type of the loaded weights; by default the stored one, bf16 for fp8.

    Returns:
        The network on the CPU. Weights that need no conversion stay backed by the file until they are used.

    Raises:
        MissingRelease: Unknown release, or no such file.
        CheckpointError: Not safetensors, broken, of another release, or not exactly the network's tensors.
    """
    checkpoint, arguments = open_transformer(path, release=release, config=config)
    network = empty_transformer(arguments)
    _fill(network, checkpoint.read("diffusers", dtype or checkpoint.stored.dtype))
    return network


def load_vae(
    path: str | Path, *, config: Mapping[str, Any] | None = None, dtype: torch.dtype | None = None
) -> AutoencoderKL:
    """Load the VAE from the published ``vae.safetensors`` or a diffusers folder, in evaluation mode.

    Args:
        path: A safetensors file in official or diffusers names, a folder, or a whole release folder.
        config: Arguments of :class:`diffusers.AutoencoderKL` that differ from the published VAE's.
        dtype: Type of the loaded weights; by default the stored one.

    Raises:
        MissingRelease: No such file.
        CheckpointError: Not safetensors, broken, or not exactly the network's tensors.
    """
    checkpoint, arguments = open_vae(path, config=config)
    network = empty_vae(arguments)
    _fill(network, checkpoint.read("diffusers", dtype or checkpoint.stored.dtype))
    return network


def open_transformer(
    path: str | Path, *, release: str, config: Mapping[str, Any] | None = None
) -> tuple[Checkpoint, dict[str, Any]]:
    """Open a transformer's weights and check them completely, without loading a number.

    Returns:
        The checkpoint and all arguments of its network.

    Raises:
        MissingRelease, CheckpointError: As :func:`load_transformer`.
    """
    file_name = find_release(release).files.get("transformer")
    stored = stored_weights(find_weights(path, part="transformer", file_name=file_name))
    layout = _require_part(stored, "transformer")
    record = read_record(stored.files)
    check_release(stored, record, release=release, layout=layout)
    arguments = resolve_config(release, record, config)
    checkpoint = Checkpoint(
        stored=stored,
        layout=layout,
        entries=transformer_entries(empty_transformer(arguments)),
        official_scale_factor=release in SCALE_FACTOR_RELEASES,
    )
    _require_all(checkpoint, scale_factor=SCALE_FACTOR in stored.tensors)
    return checkpoint, arguments


def open_vae(path: str | Path, *, config: Mapping[str, Any] | None = None) -> tuple[Checkpoint, dict[str, Any]]:
    """Open a VAE's weights and check them completely; returns the checkpoint and the arguments of its network."""
    stored = stored_weights(find_weights(path, part="vae", file_name="vae.safetensors"))
    layout = _require_part(stored, "vae")
    arguments = vae_arguments(stored.files, config)
    network = empty_vae(arguments)
    table = entries(vae_rules(len(arguments["block_out_channels"])), _shapes(network))
    checkpoint = Checkpoint(stored=stored, layout=layout, entries=table)
    _require_all(checkpoint, scale_factor=False)
    return checkpoint, arguments


def vae_arguments(files: WeightFiles, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all arguments of a VAE: the published ones, then those beside the weights, then ``config``."""
    beside = {name: value for name, value in files.config.items() if not name.startswith("_")}
    return {**PUBLISHED_VAE, **beside, **(config or {})}


def empty_transformer(arguments: Mapping[str, Any]) -> Step1XEditTransformer2DModel:
    """Build a transformer that has names and shapes but no memory (torch's meta device)."""
    try:
        with torch.device("meta"):
            return Step1XEditTransformer2DModel(**arguments)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise _impossible("transformer", error) from error


def empty_vae(arguments: Mapping[str, Any]) -> AutoencoderKL:
    """Build a VAE that has names and shapes but no memory (torch's meta device)."""
    try:
        with torch.device("meta"):
            return AutoencoderKL(**arguments)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise _impossible("VAE", error) from error


def transformer_entries(network: Step1XEditTransformer2DModel) -> tuple[Entry, ...]:
    """Return the key table laid over a transformer (which may carry adapters: they are not part of it)."""
    return entries(TRANSFORMER, _shapes(network))


def _shapes(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {
        name.replace(".base_layer.", "."): tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
        if ".lora_" not in name
    }


def _fill(network: ModelMixin, tensors: Iterable[tuple[str, Tensor]]) -> None:
    network.load_state_dict(dict(tensors), strict=True, assign=True)
    network.eval()


def _require_part(stored: StoredWeights, part: Part) -> Any:
    found = part_and_layout(stored.tensors)
    if found is None or found[0] != part:
        what = f"a {found[0]}" if found else "neither a transformer nor a VAE of Step1X-Edit"
        raise CheckpointError(
            given=f"{stored.files.path}, which is {what} (its first tensor is {min(stored.tensors, default='none')})",
            expected=f"a {part}",
            remedy=f"Give the file that holds the {part}; `step1x inspect FILE` shows what a file holds.",
        )
    return found[1]


def _require_all(checkpoint: Checkpoint, *, scale_factor: bool) -> None:
    require_match(
        path=checkpoint.stored.files.path,
        expected=expected_shapes(checkpoint.entries, checkpoint.layout, scale_factor=scale_factor),
        found=checkpoint.stored.shapes,
        remedy="Use a complete file of this release; for a network of other sizes, give them as config.",
    )


def _impossible(what: str, error: Exception) -> CheckpointError:
    return CheckpointError(
        given=f"sizes of which no {what} can be built ({error})",
        expected="the sizes the weights were saved with",
        remedy="Correct the config; sizes that are left out are the published ones.",
    )
