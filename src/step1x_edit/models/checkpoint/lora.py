"""LoRA files of both families as low-rank changes of our network's own matrices.

kohya / sd-scripts files name official modules (``lora_unet_double_blocks_0_img_attn_qkv``), PEFT and diffusers files
name ours (``transformer.transformer_blocks.0.attn.to_q``). A change of a fused official matrix falls apart like the
matrix itself: the rows of ``up`` are split, ``down`` is shared.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from step1x_edit.errors import CheckpointError, MissingRelease
from step1x_edit.models.checkpoint.entries import Entry
from step1x_edit.models.checkpoint.layout import FOLDED_WEIGHT
from step1x_edit.models.checkpoint.safetensors_header import read_header
from step1x_edit.models.checkpoint.source import WeightFiles
from step1x_edit.models.checkpoint.strict import listed

__all__ = ["Adapter", "Change", "adapter_names", "read_adapter"]

AdapterNames = Literal["kohya", "peft"]

_FILE_NAMES = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
_KOHYA = "lora_unet_"
_TEXT_ENCODER = ("lora_te", "text_encoder.")
_PREFIXES = ("base_model.model.", "transformer.", "diffusion_model.", "model.diffusion_model.")
_MATRIX = re.compile(
    r"(?P<module>.+?)\.(?P<kind>lora_down|lora_up|lora_A|lora_B|alpha)(?:\.(?:default|default_0))?(?:\.weight)?"
)
_ROLE = {"lora_down": "down", "lora_A": "down", "lora_up": "up", "lora_B": "up", "alpha": "alpha"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an adapter adds to one matrix of our network: ``up @ down``, alpha included."""

    module: str
    """Our module's name, without ``.weight``."""
    down: Tensor
    """(rank, in), fp32."""
    up: Tensor
    """(out, rank), fp32, already times alpha / rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA file in our names."""

    path: Path
    changes: tuple[Change, ...]


def adapter_names(names: Iterable[str]) -> AdapterNames | None:
    """Return which family's names these are, or ``None`` if they are not a LoRA's."""
    names = tuple(names)
    if not any(_MATRIX.fullmatch(name) and "lora_" in name for name in names):
        return None
    return "kohya" if any(name.startswith(_KOHYA) for name in names) else "peft"


def read_adapter(
    path: str | Path, entries: Iterable[Entry], *, folded: bool = False, release: str | None = None
) -> Adapter:
    """Read a LoRA file and match it strictly against a network.

    Args:
        path: A safetensors file, or a folder that PEFT or diffusers saved it in.
        entries: The network's key table.
        folded: Whether v1.0's scale factor is folded into the network. An adapter of that one matrix is then refused:
            it was made for the unfolded matrix.
        release: Id of the network's release. An adapter that names another one is refused, whatever its sizes.

    Raises:
        MissingRelease: No such file.
        CheckpointError: Not safetensors, not a LoRA, for another network or for other parts than the transformer.
    """
    path = _adapter_file(Path(path))
    files = WeightFiles([read_header(path)], config={})
    if adapter_names(files.tensors) is None:
        raise _refused(path, "which is not a LoRA", "a LoRA in kohya or PEFT names")
    noted = files.metadata.get("release")
    if release is not None and noted not in (None, release):
        raise _refused(path, f"which was trained for release {noted}", f"a LoRA of {release}")
    modules = _modules(files)
    table = _targets(entries)
    strangers = sorted(modules.keys() - table.keys())
    if strangers:
        raise _refused(path, f"which adapts {len(strangers)} modules that the transformer lacks: {listed(strangers)}")
    alphas = _recorded_alphas(files)
    changes = tuple(
        change
        for module, matrices in modules.items()
        for change in _changes(path, module, table[module], _matrices(files, module, matrices), alphas(module))
    )
    if folded and any(change.module + ".weight" == FOLDED_WEIGHT for change in changes):
        raise _refused(path, f"which adapts {FOLDED_WEIGHT}, into which this release's scale factor is folded")
    return Adapter(path=path, changes=changes)


def _adapter_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in _FILE_NAMES:
        if (path / name).is_file():
            return path / name
    raise MissingRelease(
        given=f"the folder {path}",
        expected=f"{' or '.join(_FILE_NAMES)} in it",
        remedy="Give the LoRA's safetensors file itself.",
    )


def _modules(files: WeightFiles) -> dict[str, dict[str, str]]:
    """Return module → role (down, up, alpha) → tensor name."""
    modules: dict[str, dict[str, str]] = {}
    for name in files.tensors:
        if name.startswith(_TEXT_ENCODER):
            raise _refused(files.path, f"which also adapts the multimodal LLM ({name})", "a LoRA of the transformer")
        match = _MATRIX.fullmatch(name)
        if match is None:
            raise _refused(files.path, f"which holds {name}", "down and up matrices and alphas only")
        modules.setdefault(_bare(match["module"]), {})[_ROLE[match["kind"]]] = name
    return modules


def _bare(module: str) -> str:
    """Return a module's name without what training programs write in front of it."""
    for prefix in _PREFIXES:
        module = module.removeprefix(prefix)
    return module


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A module an adapter may name, and how its rows become ours."""

    entry: Entry
    official: bool
    """Whether the name is the official one, so that rows have to be split or swapped."""
    part: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.entry.official_shape if self.official else self.entry.shapes[self.part]


def _targets(entries: Iterable[Entry]) -> dict[str, _Target]:
    """Return every name an adapter may use for a matrix: kohya's, the dotted official one, ours."""
    table = {}
    for entry in entries:
        if not entry.official.endswith(".weight") or len(entry.official_shape) != 2:
            continue
        official = entry.official.removesuffix(".weight")
        target = _Target(entry=entry, official=True)
        table[_KOHYA + official.replace(".", "_")] = table[official] = target
        for part, name in enumerate(entry.ours):
            table[name.removesuffix(".weight")] = _Target(entry=entry, official=False, part=part)
    return table


def _matrices(files: WeightFiles, module: str, names: Mapping[str, str]) -> dict[str, Tensor]:
    if "down" not in names or "up" not in names:
        raise _refused(files.path, f"in which {module} has no pair of down and up matrices")
    return {role: files.read(name).float() for role, name in names.items()}


def _changes(
    path: Path, module: str, target: _Target, matrices: Mapping[str, Tensor], recorded: tuple[float, bool] | None
) -> list[Change]:
    down, up = matrices["down"], matrices["up"]
    rank = down.shape[0]
    rows, columns = target.shape
    if down.ndim != 2 or tuple(up.shape) != (rows, rank) or down.shape[1] != columns:
        found = f"{module} with up {list(up.shape)} and down {list(down.shape)}"
        raise _refused(path, f"which was made for another size: {found}", f"a change of a {rows} x {columns} matrix")
    up = up * _scale(rank, matrices.get("alpha"), recorded)
    if not target.official:
        return [Change(module=target.entry.ours[target.part].removesuffix(".weight"), down=down, up=up)]
    names = [name.removesuffix(".weight") for name in target.entry.ours]
    pieces = _split_ranks(target.entry, down, up)
    return [Change(module=name, down=down, up=up) for name, (down, up) in zip(names, pieces, strict=True)]


def _scale(rank: int, alpha: Tensor | None, recorded: tuple[float, bool] | None) -> float:
    """Return alpha / rank (alpha / sqrt(rank) in PEFT's rank-stabilised form); without any alpha, 1."""
    if alpha is not None:
        return alpha.item() / rank
    if recorded is not None:
        value, stabilised = recorded
        return value / (math.sqrt(rank) if stabilised else rank)
    return 1.0


def _split_ranks(entry: Entry, down: Tensor, up: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Split a change of a fused matrix; where it was trained in separate parts, every part gets its own ranks back.

    Such a file stacks the parts' ranks, and ``up`` is zero outside the blocks on its diagonal.
    """
    ups = entry.split(up)
    parts = len(ups)
    if parts > 1 and down.shape[0] % parts == 0:
        blocks = [part.chunk(parts, dim=1) for part in ups]
        if not any(torch.any(blocks[i][j]) for i in range(parts) for j in range(parts) if i != j):
            return [(piece, blocks[i][i].contiguous()) for i, piece in enumerate(down.chunk(parts))]
    return [(down, part.contiguous()) for part in ups]


def _recorded_alphas(files: WeightFiles):
    """Return a function module → (alpha, rank-stabilised) from what PEFT or diffusers wrote beside the matrices."""
    config = _recorded_config(files)

    def alpha(module: str) -> tuple[float, bool] | None:
        if not config:
            return None
        patterns: Mapping[str, float] = config.get("alpha_pattern") or {}
        for key, value in patterns.items():
            if re.fullmatch(rf"(?:.*\.)?(?:{key.removeprefix('^')})", module):
                return float(value), bool(config.get("use_rslora"))
        return float(config["lora_alpha"]), bool(config.get("use_rslora"))

    return alpha


def _recorded_config(files: WeightFiles) -> dict[str, Any]:
    text = files.metadata.get("lora_adapter_metadata")
    beside = files.path.parent / "adapter_config.json"
    try:
        if text:
            table = json.loads(text)
            return {key.removeprefix("transformer."): value for key, value in table.items()}
        if files.path.name == "adapter_model.safetensors" and beside.is_file():
            return json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _refused(files.path, f"whose LoRA settings cannot be read ({error})") from error
    return {}


def _refused(path: Path, what: str, expected: str = "a LoRA of this transformer") -> CheckpointError:
    return CheckpointError(
        given=f"{path}, {what}",
        expected=expected,
        remedy="Use an adapter that was trained for this release and size.",
    )
