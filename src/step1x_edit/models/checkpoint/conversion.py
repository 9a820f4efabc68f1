"""``convert``: a checkpoint from one published layout to the other, tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from step1x_edit.errors import RequestError
from step1x_edit.models.checkpoint.layout import Checkpoint, Layout, expected_shapes, part_and_layout
from step1x_edit.models.checkpoint.loading import empty_transformer, empty_vae, open_transformer, open_vae
from step1x_edit.models.checkpoint.record import metadata_of, sizes_of
from step1x_edit.models.checkpoint.source import CONFIG_NAME, WEIGHTS_NAME, find_weights
from step1x_edit.models.checkpoint.stored_form import stored_weights
from step1x_edit.models.checkpoint.writing import refuse_overwrite, replaced_file, write_safetensors

__all__ = ["convert", "write_checkpoint"]


def convert(
    source: str | Path,
    target: str | Path,
    *,
    release: str,
    to: Layout,
    config: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = None,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write a transformer or VAE in the other layout (or the same one with another type).

    Converting there and back gives the same bits, except for v1.0: its scale factor is folded on the way to diffusers
    names and comes back as 0. The layout, the release, the sizes and the fold are written into the file.

    Args:
        source: Weights as :func:`load_transformer` takes them, or a VAE.
        target: Where to write. A name ending in ``.safetensors`` becomes one file; anything else a folder with
            ``config.json``, for the diffusers layout.
        release: Id of the release the weights belong to.
        to: Layout to write.
        config: Sizes that differ from the published ones.
        dtype: Type to write; by default the stored one, bf16 for fp8.
        force: Whether existing files may be replaced.

    Returns:
        The files written.

    Raises:
        MissingRelease, CheckpointError: As :func:`load_transformer`.
        RequestError: The target exists, or its form does not go with the layout.
    """
    target = Path(target)
    if _part(source) == "vae":
        checkpoint, arguments = open_vae(source, config=config)
    else:
        checkpoint, arguments = open_transformer(source, release=release, config=config)
    return write_checkpoint(checkpoint, target, arguments=arguments, release=release, to=to, dtype=dtype, force=force)


def write_checkpoint(
    checkpoint: Checkpoint,
    target: Path,
    *,
    arguments: Mapping[str, Any],
    release: str,
    to: Layout,
    dtype: torch.dtype | None = None,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write an opened checkpoint; see :func:`convert` for the arguments."""
    weights, config = _target_files(target, to)
    refuse_overwrite(weights, *filter(None, [config]), force=force)
    dtype = dtype or checkpoint.stored.dtype
    is_transformer = "release" in arguments
    folded = checkpoint.official_scale_factor and (to == "diffusers" or not checkpoint.holds_scale_factor)
    metadata = (
        metadata_of(release=release, layout=to, folded=folded, sizes=sizes_of(arguments))
        if is_transformer
        else {"format": "pt", "layout": to}
    )
    write_safetensors(
        weights,
        shapes=expected_shapes(
            checkpoint.entries, to, scale_factor=checkpoint.official_scale_factor and to == "official"
        ),
        tensors=checkpoint.read(to, dtype),
        dtype=dtype,
        metadata=metadata,
    )
    if config is None:
        return (weights,)
    network = empty_transformer(arguments) if is_transformer else empty_vae(arguments)
    with replaced_file(config) as file:
        file.write(network.to_json_string().encode())
    return weights, config


def _target_files(target: Path, to: Layout) -> tuple[Path, Path | None]:
    if target.suffix == ".safetensors":
        return target, None
    if to == "official":
        raise RequestError(
            given=f"the target {target} for the official layout",
            expected="a file name ending in .safetensors",
            remedy="Name the file to write; only the diffusers layout is a folder.",
        )
    stale = sorted(target.glob("*.safetensors.index.json"))
    if stale:
        raise RequestError(
            given=f"the folder {target}, which holds a sharded checkpoint ({stale[0].name})",
            expected="a folder without other weights",
            remedy="Choose a new folder; the old shards would be read instead of the new file.",
        )
    return target / WEIGHTS_NAME, target / CONFIG_NAME


def _part(source: str | Path) -> str:
    """A folder is looked through for a transformer first; a single file says by its names what it is."""
    source = Path(source)
    if source.is_dir() and not (source / CONFIG_NAME).is_file():
        return "transformer"
    found = part_and_layout(stored_weights(find_weights(source, part="transformer")).tensors)
    return found[0] if found else "transformer"
