"""Weights on disk as one set of named tensors, whether in one file or in shards, read lazily and memory-mapped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open
from torch import Tensor

from step1x_edit.errors import CheckpointError, MissingRelease
from step1x_edit.models.checkpoint.safetensors_header import Header, TensorInfo, read_header

__all__ = ["CONFIG_NAME", "WEIGHTS_NAME", "Part", "WeightFiles", "find_weights"]

Part = Literal["transformer", "vae"]

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "diffusion_pytorch_model.safetensors"
_INDEX_SUFFIX = ".safetensors.index.json"


class WeightFiles:
    """Tensors by name, out of one or several safetensors files.

    Opening reads the headers only. :meth:`read` maps the file into memory, so a tensor costs memory when it is used.

    Args:
        headers: The checked headers; no name may occur in two of them.
        config: The ``config.json`` beside the weights, empty where there is none.
    """

    def __init__(self, headers: list[Header], *, config: Mapping[str, Any]) -> None:
        self.headers = headers
        self.config = dict(config)
        self.metadata: dict[str, str] = {}
        self.tensors: dict[str, TensorInfo] = {}
        self._home: dict[str, Path] = {}
        self._open: dict[Path, Any] = {}
        for header in headers:
            self._add(header)

    @property
    def path(self) -> Path:
        """The file, or the folder of the shards."""
        first = self.headers[0].path
        return first if len(self.headers) == 1 else first.parent

    @property
    def bytes_on_disk(self) -> int:
        """Size of all files together."""
        return sum(header.path.stat().st_size for header in self.headers)

    def read(self, name: str) -> Tensor:
        """Return one tensor as stored, backed by the file.

        Raises:
            CheckpointError: The file's content does not match its header.
        """
        path = self._home[name]
        try:
            if path not in self._open:
                self._open[path] = safe_open(path, framework="pt", device="cpu")
            return self._open[path].get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                given=f"{path}, whose tensor {name} cannot be read ({error})",
                expected="a complete safetensors file",
                remedy="Download or copy the file again.",
            ) from error

    def _add(self, header: Header) -> None:
        twice = self.tensors.keys() & header.tensors.keys()
        if twice:
            raise CheckpointError(
                given=f"{header.path}, which holds {min(twice)} a second time",
                expected="every tensor in exactly one shard",
                remedy="Remove files that belong to another checkpoint from the folder.",
            )
        self.metadata.update(header.metadata)
        self.tensors.update(header.tensors)
        self._home.update(dict.fromkeys(header.tensors, header.path))


def find_weights(path: str | Path, *, part: Part, file_name: str | None = None) -> WeightFiles:
    """Open the weights of one part of the model.

    Args:
        path: A safetensors file, a folder of one part (``config.json`` and its weights, sharded or not), or a whole
            release folder with the part in a subfolder.
        part: Which part to look for in a folder.
        file_name: Name of the part's file in a folder of single files, as the release publishes it.

    Raises:
        MissingRelease: Nothing is there.
        CheckpointError: What is there is not safetensors, is broken, or shards are missing.
    """
    path = Path(path)
    if not path.is_dir():
        return WeightFiles([read_header(path)], config=_config_beside(path))
    for folder in (path / part, path):
        index = next(iter(sorted(folder.glob(f"*{_INDEX_SUFFIX}"))), None)
        if index is not None:
            return WeightFiles(_shards(index), config=_read_config(folder / CONFIG_NAME))
        for name in (WEIGHTS_NAME, file_name):
            if name and (folder / name).is_file():
                return WeightFiles([read_header(folder / name)], config=_read_config(folder / CONFIG_NAME))
    raise MissingRelease(
        given=f"the folder {path}",
        expected=f"{WEIGHTS_NAME} (or its shards and index) in it or in {part}/",
        remedy="Give the weight file itself, or download the release with `step1x fetch RELEASE`.",
    )


def _shards(index: Path) -> list[Header]:
    try:
        weight_map: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(weight_map.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken_json(index, error) from error
    absent = [name for name in names if not (index.parent / name).is_file()]
    if absent:
        raise CheckpointError(
            given=f"{index}, whose shards are not all there: {', '.join(absent)}",
            expected=f"{len(names)} shards beside it",
            remedy="Download the folder again.",
        )
    headers = [read_header(index.parent / name) for name in names]
    held = {tensor for header in headers for tensor in header.tensors}
    if held != weight_map.keys():
        odd = sorted(held ^ weight_map.keys())
        raise CheckpointError(
            given=f"{index}, which disagrees with its shards about {len(odd)} tensors, first {odd[0]}",
            expected="an index that lists exactly what the shards hold",
            remedy="Download the folder again; its files belong to different versions.",
        )
    return headers


def _config_beside(path: Path) -> dict[str, Any]:
    """Return the config of the diffusers folder a file stands in; a single file elsewhere has none."""
    return _read_config(path.parent / CONFIG_NAME) if path.name == WEIGHTS_NAME else {}


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _broken_json(path, error) from error
    return config if isinstance(config, dict) else {}


def _broken_json(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        given=f"{path}, which cannot be read ({error})",
        expected="the JSON file that was published or saved with the weights",
        remedy="Download or copy the folder again.",
    )
