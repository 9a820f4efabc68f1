"""``inspect``: what a weight file is, from its header alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from step1x_edit.errors import CheckpointError
from step1x_edit.models.checkpoint.entries import entries
from step1x_edit.models.checkpoint.layout import Layout, expected_shapes, part_and_layout
from step1x_edit.models.checkpoint.loading import empty_transformer, empty_vae, transformer_entries, vae_arguments
from step1x_edit.models.checkpoint.lora import adapter_names
from step1x_edit.models.checkpoint.record import Record, read_record
from step1x_edit.models.checkpoint.sizes import transformer_sizes, vae_sizes
from step1x_edit.models.checkpoint.source import WeightFiles, find_weights
from step1x_edit.models.checkpoint.stored_form import StoredWeights, stored_weights
from step1x_edit.models.checkpoint.strict import Differences, differences
from step1x_edit.models.checkpoint.tables import SCALE_FACTOR, SCALE_FACTOR_RELEASES, TEXT_MAPPING, vae_rules
from step1x_edit.presets.releases import releases

__all__ = ["CheckpointReport", "inspect_checkpoint"]

NOT_RECORDED = "not recorded, pass --release"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointReport:
    """What a weight file or folder holds."""

    path: Path
    part: Literal["transformer", "vae", "adapter"]
    layout: str
    """``official`` or ``diffusers``; for an adapter ``kohya`` or ``peft``."""
    release: str | None
    """The one release it can be; ``None`` if that is not recorded and the tensors do not tell."""
    candidates: tuple[str, ...]
    """Releases its tensors allow."""
    dtypes: str
    tensors: int
    parameters: int
    bytes_on_disk: int
    folded: bool = False
    """Whether v1.0's scale factor is folded into the weights."""
    sizes: dict[str, Any]
    """Sizes read off the tensors (or recorded); empty for an adapter."""
    difference: Differences | None = None
    """Against a network of those sizes; ``None`` for an adapter, whose base may be any of its size."""

    @property
    def release_text(self) -> str:
        """The release in words."""
        if self.release is not None:
            return self.release
        few = 1 < len(self.candidates) <= 2
        return f"{' or '.join(self.candidates)}: {NOT_RECORDED}" if few else NOT_RECORDED

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, extra or misshaped."""
        return not self.difference


def inspect_checkpoint(path: str | Path) -> CheckpointReport:
    """Report what a weight file or folder holds, reading headers only.

    Args:
        path: A transformer, a VAE or a LoRA, as a safetensors file or a folder.

    Raises:
        MissingRelease: Nothing is there.
        CheckpointError: Not safetensors, broken, stored in an unknown form, or not of Step1X-Edit.
    """
    files = find_weights(path, part="transformer")
    adapter = adapter_names(files.tensors)
    if adapter is not None:
        return _adapter_report(files, adapter)
    stored = stored_weights(files)
    found = part_and_layout(stored.tensors)
    if found is None:
        raise CheckpointError(
            given=f"{files.path}, which holds {len(files.tensors)} tensors of another model",
            expected="a transformer, a VAE or a LoRA of Step1X-Edit",
            remedy="Check the path.",
        )
    part, layout = found
    return _vae_report(stored, layout) if part == "vae" else _transformer_report(stored, layout)


def _transformer_report(stored: StoredWeights, layout: Layout) -> CheckpointReport:
    record = read_record(stored.files)
    sizes = record.sizes or transformer_sizes(stored.shapes)
    table = transformer_entries(empty_transformer(sizes))
    has_factor = SCALE_FACTOR in stored.tensors
    candidates = _candidates(stored, record, layout)
    return CheckpointReport(
        path=stored.files.path,
        part="transformer",
        layout=layout,
        release=candidates[0] if len(candidates) == 1 else None,
        candidates=candidates,
        folded=record.folded and candidates == SCALE_FACTOR_RELEASES,
        sizes=sizes,
        difference=differences(expected=expected_shapes(table, layout, scale_factor=has_factor), found=stored.shapes),
        **_amounts(stored),
    )


def _vae_report(stored: StoredWeights, layout: Layout) -> CheckpointReport:
    arguments = vae_arguments(stored.files, vae_sizes(stored.shapes))
    network = empty_vae(arguments)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    table = entries(vae_rules(len(arguments["block_out_channels"])), shapes)
    return CheckpointReport(
        path=stored.files.path,
        part="vae",
        layout=layout,
        release=None,
        candidates=tuple(release.id for release in releases() if release.form != "embedded"),
        sizes={"block_out_channels": arguments["block_out_channels"]},
        difference=differences(expected=expected_shapes(table, layout, scale_factor=False), found=stored.shapes),
        **_amounts(stored),
    )


def _adapter_report(files: WeightFiles, names: str) -> CheckpointReport:
    ranks = {info.shape[0] for name, info in files.tensors.items() if re.search(r"lora_(down|A)\.", name)}
    return CheckpointReport(
        path=files.path,
        part="adapter",
        layout=names,
        release=files.metadata.get("release"),
        candidates=(),
        dtypes=" + ".join(sorted({info.dtype for info in files.tensors.values()})),
        tensors=len(files.tensors),
        parameters=sum(info.numbers for info in files.tensors.values()),
        bytes_on_disk=files.bytes_on_disk,
        sizes={"rank": sorted(ranks)},
    )


def _amounts(stored: StoredWeights) -> dict[str, Any]:
    return {
        "dtypes": stored.form,
        "tensors": len(stored.tensors),
        "parameters": sum(info.numbers for info in stored.tensors.values()),
        "bytes_on_disk": stored.files.bytes_on_disk,
    }


def _candidates(stored: StoredWeights, record: Record, layout: Layout) -> tuple[str, ...]:
    if record.release is not None:
        return (record.release,)
    if SCALE_FACTOR in stored.tensors:
        return SCALE_FACTOR_RELEASES
    maps_text = TEXT_MAPPING in stored.tensors
    return tuple(
        release.id
        for release in releases()
        if (release.conventions.text_mapping or not maps_text)
        and not (layout == "official" and release.id in SCALE_FACTOR_RELEASES)
    )
