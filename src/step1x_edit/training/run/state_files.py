"""States of optimisers, samplers and random generators as safetensors and JSON: nothing in them can run code.

A tree of dictionaries, lists, numbers and texts becomes JSON; each tensor in it becomes an entry of a safetensors file and
a name in the JSON. Dictionaries with numbers as keys and tuples keep their kind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from step1x_edit.errors import CheckpointError

__all__ = ["pack_tree", "read_tensors", "read_tree", "unpack_tree", "write_tensors", "write_tree"]

TENSOR, TUPLE, ENTRIES, DTYPE = "$tensor", "$tuple", "$entries", "$dtype"


def pack_tree(tree: Any, *, prefix: str = "") -> tuple[Any, dict[str, Tensor]]:
    """Part a tree into what JSON can say and its tensors by name.

    Args:
        tree: Dictionaries, lists, tuples, numbers, texts, ``None``, types of numbers and tensors.
        prefix: Goes before the names of tensors.

    Raises:
        TypeError: Something else is in the tree.
    """
    tensors: dict[str, Tensor] = {}
    return _packed(tree, prefix, tensors), tensors


def _packed(tree: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(tree, Tensor):
        tensors[path] = tree
        return {TENSOR: path}
    if isinstance(tree, Mapping):
        entries = [(key, _packed(value, f"{path}.{key}", tensors)) for key, value in tree.items()]
        plain = all(isinstance(key, str) and not key.startswith("$") for key, _ in entries)
        return dict(entries) if plain else {ENTRIES: [list(entry) for entry in entries]}
    if isinstance(tree, list | tuple):
        items = [_packed(item, f"{path}.{index}", tensors) for index, item in enumerate(tree)]
        return {TUPLE: items} if isinstance(tree, tuple) else items
    if isinstance(tree, torch.dtype):
        return {DTYPE: str(tree).removeprefix("torch.")}
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    raise TypeError(f"{path or 'the state'} is a {type(tree).__name__}, which a checkpoint cannot hold")


def unpack_tree(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the tree that :func:`pack_tree` parted.

    Raises:
        CheckpointError: A tensor is missing.
    """
    if isinstance(packed, list):
        return [unpack_tree(item, tensors) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if TENSOR in packed:
        return _named(packed[TENSOR], tensors)
    if TUPLE in packed:
        return tuple(unpack_tree(item, tensors) for item in packed[TUPLE])
    if ENTRIES in packed:
        return {key: unpack_tree(value, tensors) for key, value in packed[ENTRIES]}
    if DTYPE in packed:
        return getattr(torch, packed[DTYPE])
    return {key: unpack_tree(value, tensors) for key, value in packed.items()}


def _named(name: str, tensors: Mapping[str, Tensor]) -> Tensor:
    if name not in tensors:
        raise _broken(f"a state whose tensor {name!r} is missing")
    return tensors[name]


def write_tree(tree: Any, folder: Path, name: str) -> None:
    """Write a tree as ``NAME.json`` and ``NAME.safetensors``.

    Raises:
        OSError: The disk is full, or another failure to write.
    """
    packed, tensors = pack_tree(tree, prefix=name)
    write_tensors(tensors, folder / f"{name}.safetensors")
    with (folder / f"{name}.json").open("w", encoding="utf-8") as file:
        json.dump(packed, file)
        _to_disk(file)


def read_tree(folder: Path, name: str) -> Any:
    """Read what :func:`write_tree` wrote.

    Raises:
        CheckpointError: A file is missing or broken.
    """
    try:
        packed = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(f"{folder / name}.json, which cannot be read ({error})") from error
    return unpack_tree(packed, read_tensors(folder / f"{name}.safetensors"))


def write_tensors(tensors: Mapping[str, Tensor], path: Path, *, metadata: dict[str, str] | None = None) -> None:
    """Write tensors as they are, from whatever device, and see them onto the disk.

    Raises:
        OSError: The disk is full, or another failure to write.
    """
    apart = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    for name in _sharing(apart):
        apart[name] = apart[name].clone()
    try:
        save_file(apart, path, metadata=metadata)
    except SafetensorError as error:
        raise _as_os_error(error, path) from error
    with path.open("rb+") as file:
        _to_disk(file)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file.

    Raises:
        CheckpointError: It is missing or broken.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise _broken(f"{path}, which cannot be read ({error})") from error


def _sharing(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return names of tensors that lie in memory of an earlier one; safetensors refuses such."""
    seen: set[int] = set()
    shared = []
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        if place in seen or tensor.numel() * tensor.element_size() != tensor.untyped_storage().nbytes():
            shared.append(name)
        seen.add(place)
    return shared


def _as_os_error(error: SafetensorError, path: Path) -> OSError:
    """Return the system's own error out of the text that safetensors makes of it."""
    _, _, code = str(error).rpartition("(os error ")
    number = code.partition(")")[0]
    return OSError(int(number), os.strerror(int(number)), str(path)) if number.isdigit() else OSError(str(error))


def _to_disk(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _broken(given: str) -> CheckpointError:
    return CheckpointError(
        given=given,
        expected="a checkpoint as it was written",
        remedy="Remove it, so that the run goes on from the one before.",
    )
