"""Low-rank changes of our matrices in the three forms that adapter files have.

Our own form keeps each matrix pair as it was trained, with its alpha. PEFT's form, which diffusers and most programs read,
has the scale inside the up matrix, because programs differ in where they look for alpha. kohya's form names official
modules: of a fused matrix, the parts' ranks are stacked and ``up`` is zero outside the blocks on its diagonal, as the released
code stores adapters that were trained in separate parts; :mod:`.lora` and diffusers take the blocks apart again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from step1x_edit.models.checkpoint.entries import Entry

__all__ = ["LowRankPair", "kohya_tensors", "own_tensors", "peft_tensors"]

_KOHYA = "lora_unet_"


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRankPair:
    """What an adapter adds to one matrix: alpha / rank times ``up @ down``."""

    module: str
    """Our module's name, without ``.weight``."""
    down: Float[Tensor, "rank in"]
    up: Float[Tensor, "out rank"]
    alpha: float

    @property
    def rank(self) -> int:
        """Rows of ``down``."""
        return self.down.shape[0]

    @property
    def scale(self) -> float:
        """What the product is multiplied by."""
        return self.alpha / self.rank


def own_tensors(pairs: Iterable[LowRankPair]) -> dict[str, Tensor]:
    """Return an adapter under our names, each matrix as it is, each alpha beside it."""
    tensors = {}
    for pair in pairs:
        tensors[f"transformer.{pair.module}.lora_A.weight"] = pair.down
        tensors[f"transformer.{pair.module}.lora_B.weight"] = pair.up
        tensors[f"transformer.{pair.module}.alpha"] = torch.tensor(pair.alpha)
    return tensors


def peft_tensors(pairs: Iterable[LowRankPair]) -> dict[str, Tensor]:
    """Return an adapter as diffusers and PEFT store it, the scale multiplied into the up matrices."""
    tensors = {}
    for pair in pairs:
        tensors[f"transformer.{pair.module}.lora_A.weight"] = pair.down
        tensors[f"transformer.{pair.module}.lora_B.weight"] = pair.up * pair.scale
    return tensors


def kohya_tensors(pairs: Iterable[LowRankPair], entries: Iterable[Entry]) -> dict[str, Tensor]:
    """Return an adapter under the published files' names, merged by (alpha / rank) ``up @ down`` of each module.

    Args:
        pairs: Changes of our matrices.
        entries: The network's key table.
    """
    by_module = {pair.module: pair for pair in pairs}
    tensors: dict[str, Tensor] = {}
    for entry in entries:
        parts = [by_module.get(name.removesuffix(".weight")) for name in entry.ours]
        if any(parts):
            name = _KOHYA + entry.official.removesuffix(".weight").replace(".", "_")
            tensors |= _official(name, entry, parts)
    return tensors


def _official(name: str, entry: Entry, parts: Sequence[LowRankPair | None]) -> Mapping[str, Tensor]:
    present = [pair for pair in parts if pair is not None]
    down = torch.cat([pair.down for pair in present])
    # Equal scales stay outside, so that the matrices are the trained ones; otherwise each goes into its own block.
    shared = present[0].scale if len({pair.scale for pair in present}) == 1 else 1.0
    blocks = [
        down.new_zeros(shape[0], 0) if pair is None else pair.up * (pair.scale / shared)
        for pair, shape in zip(parts, entry.shapes, strict=True)
    ]
    up = torch.block_diag(*blocks)
    if entry.form == "swapped":
        (up,) = entry.split(up)  # Exchanging halves is its own inverse.
    return {
        f"{name}.lora_down.weight": down,
        f"{name}.lora_up.weight": up,
        f"{name}.alpha": torch.tensor(shared * down.shape[0]),
    }
