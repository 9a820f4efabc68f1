"""LoRA adapters on a transformer: attached with scales, or merged into a file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from step1x_edit.models.checkpoint.conversion import write_checkpoint
from step1x_edit.models.checkpoint.entries import Entry
from step1x_edit.models.checkpoint.layout import Checkpoint, Layout
from step1x_edit.models.checkpoint.loading import open_transformer, transformer_entries
from step1x_edit.models.checkpoint.lora import Adapter, read_adapter
from step1x_edit.models.checkpoint.tables import SCALE_FACTOR_RELEASES
from step1x_edit.models.transformer import Step1XEditTransformer2DModel

__all__ = ["attach_adapters", "merge_adapters_to_file"]

_PREFIX = "transformer"


def attach_adapters(
    transformer: Step1XEditTransformer2DModel, adapters: Sequence[tuple[str | Path, float]]
) -> tuple[str, ...]:
    """Attach LoRA files to a transformer, all active together, each with its own scale.

    Every file is read and matched before the first is attached, so a bad one leaves the transformer as it was.

    Args:
        transformer: The network; adapters it carries already stay loaded but inactive.
        adapters: Files and scales; 1 is the strength of training, 0 none, negative values push the other way.

    Returns:
        The adapters' names, for ``transformer.set_adapters`` and ``transformer.delete_adapters``.

    Raises:
        MissingRelease: No such file.
        CheckpointError: A file is not a LoRA of this transformer.
    """
    table = transformer_entries(transformer)
    release = transformer.config.get("release")
    folded = release in SCALE_FACTOR_RELEASES
    read = [read_adapter(path, table, folded=folded, release=release) for path, _ in adapters]
    names = tuple(_new_name(transformer, adapter, place) for place, adapter in enumerate(read))
    for name, adapter in zip(names, read, strict=True):
        _attach(transformer, name, adapter)
    if names:
        transformer.set_adapters(list(names), [scale for _, scale in adapters])
    return names


def merge_adapters_to_file(
    base: str | Path,
    adapters: Sequence[tuple[str | Path, float]],
    target: str | Path,
    *,
    release: str,
    to: Layout | None = None,
    config: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = None,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write a checkpoint with adapters added into its weights.

    The change is added in fp32 to the weight and the sum cast once, as in the released merge. Weights stored in fp8 are
    written as bf16 unless ``dtype`` says otherwise, since fp8 would round most of a change away.

    Args:
        base: Weights as :func:`load_transformer` takes them.
        adapters: Files and scales.
        target: Where to write; see :func:`convert`.
        release: Id of the release the weights belong to.
        to: Layout to write; by default the base's.
        config: Sizes that differ from the published ones.
        dtype: Type to write.
        force: Whether existing files may be replaced.

    Returns:
        The files written.

    Raises:
        MissingRelease, CheckpointError, RequestError: As :func:`convert` and :func:`attach_adapters`.
    """
    checkpoint, arguments = open_transformer(base, release=release, config=config)
    folded = checkpoint.official_scale_factor
    read = [(read_adapter(path, checkpoint.entries, folded=folded, release=release), scale) for path, scale in adapters]
    merged = _Merged(
        stored=checkpoint.stored,
        layout=checkpoint.layout,
        entries=checkpoint.entries,
        official_scale_factor=checkpoint.official_scale_factor,
        adapters=tuple(read),
    )
    return write_checkpoint(
        merged,
        Path(target),
        arguments=arguments,
        release=release,
        to=to or checkpoint.layout,
        dtype=dtype,
        force=force,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merged(Checkpoint):
    """A checkpoint whose tensors come out with changes added."""

    adapters: tuple[tuple[Adapter, float], ...]

    def read(self, layout: Layout, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
        changed = self._changes_by_tensor(layout)
        for name, tensor in Checkpoint.read(self, layout, torch.float32):
            if name in changed:
                tensor = tensor + changed[name].delta()
            yield name, tensor.to(dtype)

    def _changes_by_tensor(self, layout: Layout) -> dict[str, _Sum]:
        ours: dict[str, list[tuple[Tensor, Tensor]]] = {}
        for adapter, scale in self.adapters:
            for change in adapter.changes:
                ours.setdefault(f"{change.module}.weight", []).append((change.up * scale, change.down))
        sums = {}
        for entry in self.entries:
            if ours.keys() & set(entry.ours):
                pairs = tuple(ours.get(name, []) for name in entry.ours)
                if layout == "official":
                    sums[entry.official] = _Sum(entry=entry, pairs=pairs)
                else:
                    for place, name in enumerate(entry.ours):
                        sums[name] = _Sum(entry=entry, pairs=(pairs[place],), part=place)
        return sums


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    """All changes of one written tensor, multiplied out only when that tensor is written."""

    entry: Entry
    pairs: tuple[list[tuple[Tensor, Tensor]], ...]
    part: int | None = None

    def delta(self) -> Tensor:
        if self.part is not None:
            return self._one(self.pairs[0], self.entry.shapes[self.part])
        parts = [self._one(pair, shape) for pair, shape in zip(self.pairs, self.entry.shapes, strict=True)]
        return self.entry.join(parts)

    @staticmethod
    def _one(pairs: list[tuple[Tensor, Tensor]], shape: tuple[int, ...]) -> Tensor:
        return sum((up @ down for up, down in pairs), start=torch.zeros(shape))


def _attach(transformer: Step1XEditTransformer2DModel, name: str, adapter: Adapter) -> None:
    """Hand an adapter to PEFT with its scale folded in, so alpha equals rank everywhere."""
    state = {}
    for change in adapter.changes:
        state[f"{_PREFIX}.{change.module}.lora_A.weight"] = change.down.to(transformer.dtype)
        state[f"{_PREFIX}.{change.module}.lora_B.weight"] = change.up.to(transformer.dtype)
    with warnings.catch_warnings():
        # Several adapters at once are what the caller asked for; which modules are adapted, the matrices' names say
        # (PEFT compares them with the ends of all modules' names, of which more than one may match).
        warnings.filterwarnings("ignore", message="Already found a `peft_config` attribute")
        warnings.filterwarnings("ignore", message="While injecting the PEFT adapters, an inconsistency")
        transformer.load_lora_adapter(state, prefix=_PREFIX, adapter_name=name)


def _new_name(transformer: Step1XEditTransformer2DModel, adapter: Adapter, place: int) -> str:
    """PEFT's names may not hold dots; the counter keeps two files of one name apart."""
    taken = len(getattr(transformer, "peft_config", {}))
    return f"{adapter.path.stem.replace('.', '_')}_{taken + place}"
