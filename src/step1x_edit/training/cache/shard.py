"""One shard of the cache: examples of one token grid in a safetensors file, each thing they share stored once.

Tensors of a shard (n examples)::

    keys            n x 16          what each example is, as a hash
    numbers         n x 5           rows of: target, reference (-1: none), changed (-1: no mask), conditioning, unconditional
    target, reference, changed      the pictures' tokens; shares of tokens
    spans           m x 4           first and last+1 row in `tokens`, and in `quoted`, of each conditioning
    tokens, positions, text_mask    all conditionings one behind the other; positions only where they are not zero
    quoted                          embeddings of quoted tokens (v1.2); others are multiplied by zero and not kept
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from step1x_edit.errors import DataError
from step1x_edit.models.conditioner import Conditioning
from step1x_edit.sampling.positions import zero_positions
from step1x_edit.store.shard import written_whole
from step1x_edit.training.examples import EncodedExample

__all__ = ["KEY_BYTES", "KeyedExample", "Shard", "write_shard"]

KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class KeyedExample:
    """An example and what it is."""

    key: bytes
    example: EncodedExample

    def tensors(self) -> Iterable[Tensor]:
        """Yield the large ones, for counting bytes."""
        one = self.example
        for tensor in (one.target, one.reference, one.conditioning.tokens, one.unconditional.tokens):
            if tensor is not None:
                yield tensor


class _Rows:
    """Tensors that get a number when they first come; the same object keeps its number."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._numbers: dict[int, int] = {}

    def number(self, item: Any) -> int:
        if item is None:
            return -1
        if id(item) not in self._numbers:
            self._numbers[id(item)] = len(self.items)
            self.items.append(item)
        return self._numbers[id(item)]


def write_shard(path: Path, examples: Sequence[KeyedExample]) -> None:
    """Write examples of one grid, all with a reference image or all without.

    Raises:
        DataError: The disk is full.
    """
    targets, references, changes, conditionings = (_Rows() for _ in range(4))
    numbers = [
        [
            targets.number(one.example.target),
            references.number(one.example.reference),
            changes.number(one.example.changed),
            conditionings.number(one.example.conditioning),
            conditionings.number(one.example.unconditional),
        ]
        for one in examples
    ]
    keys = np.frombuffer(b"".join(one.key for one in examples), dtype=np.uint8).reshape(-1, KEY_BYTES)
    tensors = {
        "keys": torch.from_numpy(keys.copy()),
        "numbers": torch.tensor(numbers),
        "target": torch.stack(targets.items),
        **({"reference": torch.stack(references.items)} if references.items else {}),
        # Shares are multiples of 1/256 or means of few grey levels; half precision holds them.
        **({"changed": torch.stack(changes.items).half()} if changes.items else {}),
        **_table(conditionings.items),
    }
    first = examples[0].example
    # In memory first: safetensors' own writing to a full disk raises an error that does not say so.
    data = save(tensors, {"rows": str(first.rows), "columns": str(first.columns)})
    with written_whole(path) as part:
        part.write_bytes(data)


def _table(conditionings: Sequence[Conditioning]) -> dict[str, Tensor]:
    ends = np.cumsum([one.tokens.shape[1] for one in conditionings])
    table = {"tokens": torch.cat([one.tokens[0] for one in conditionings])}
    if any(one.positions.any() for one in conditionings):
        table["positions"] = torch.cat([one.positions for one in conditionings])
    quoted_ends = np.zeros(len(conditionings), dtype=np.int64)
    masks = [one.text_mask[0] for one in conditionings if one.text_mask is not None]
    if masks:
        quoted_ends = np.cumsum([int(mask.sum()) for mask in masks])
        kept = [
            one.text_embeddings[0][mask.bool()]
            for one, mask in zip(conditionings, masks, strict=True)
            if one.text_embeddings is not None
        ]
        table |= {"text_mask": torch.cat(masks).to(torch.uint8), "quoted": torch.cat(kept)}
    spans = [np.append(0, ends[:-1]), ends, np.append(0, quoted_ends[:-1]), quoted_ends]
    return {**table, "spans": torch.from_numpy(np.stack(spans, axis=1))}


class Shard:
    """A shard to read from; pictures and conditionings stay on disk until they are asked for.

    Args:
        path: The file.

    Raises:
        DataError: It is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _reading(path) as file:
            noted, names = file.metadata() or {}, set(file.keys())
            self.rows, self.columns = int(noted["rows"]), int(noted["columns"])
            self.with_reference = "reference" in names
            self.keys = [bytes(key) for key in file.get_tensor("keys").numpy()]
            self._names = names

    def __len__(self) -> int:
        return len(self.keys)

    def example(self, row: int) -> EncodedExample:
        """Read one example."""
        target, reference, changed, conditional, unconditional = self._numbers[row].tolist()
        return EncodedExample(
            target=self._row("target", target),
            reference=None if reference < 0 else self._row("reference", reference),
            rows=self.rows,
            columns=self.columns,
            conditioning=self._conditioning(conditional),
            unconditional=self._conditioning(unconditional),
            changed=None if changed < 0 else self._row("changed", changed).float(),
        )

    @cached_property
    def _file(self) -> Any:
        return _reading(self.path)

    @cached_property
    def _numbers(self) -> Int[Tensor, "examples 5"]:
        return self._file.get_tensor("numbers")

    @cached_property
    def _spans(self) -> Int[Tensor, "conditionings 4"]:
        return self._file.get_tensor("spans")

    def _row(self, name: str, row: int) -> Tensor:
        return self._file.get_slice(name)[row : row + 1][0]

    def _conditioning(self, number: int) -> Conditioning:
        start, stop, quoted_start, quoted_stop = self._spans[number].tolist()
        tokens = self._file.get_slice("tokens")[start:stop][None]
        positions = (
            self._file.get_slice("positions")[start:stop]
            if "positions" in self._names
            else zero_positions(stop - start)
        )
        text_mask = embeddings = None
        if "text_mask" in self._names:
            text_mask = self._file.get_slice("text_mask")[start:stop][None].long()
            embeddings = torch.zeros_like(tokens)
            if quoted_stop > quoted_start:
                embeddings[text_mask.bool()] = self._file.get_slice("quoted")[quoted_start:quoted_stop]
        return Conditioning(
            tokens=tokens,
            mask=torch.ones(tokens.shape[:2], dtype=torch.long),
            positions=positions,
            text_embeddings=embeddings,
            text_mask=text_mask,
        )


def _reading(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise DataError(
            given=f"{path}, which cannot be read ({' '.join(str(error).split())[:100]})",
            expected="a shard of the cache",
            remedy="Delete the file; what it held is encoded again.",
        ) from error
