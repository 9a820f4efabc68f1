"""Runs a TensorFlow.js graph file with torch, without TensorFlow.

Such a file is a list of named operators as JSON, beside one binary file of weights. Tensors keep the file's layout,
batch x height x width x channels; an operator that torch only has for channels first sees a view of it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from step1x_edit.errors import ExpertError

__all__ = ["OPERATORS", "GraphNode", "TfjsGraph"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """One operator of the graph."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Return an attribute that is a word."""
        return _word(self.attributes[name]["s"])

    def numbers(self, name: str) -> list[int]:
        """Return an attribute that is a list of whole numbers."""
        return [int(number) for number in self.attributes[name]["list"]["i"]]

    def flag(self, name: str) -> bool:
        """Return an attribute that is true or false; absent means false."""
        return bool(self.attributes.get(name, {}).get("b", False))

    @property
    def fused(self) -> list[str]:
        """Operators done right after this one, in order."""
        return [_word(one) for one in self.attributes.get("fused_ops", {}).get("list", {}).get("s", [])]


class TfjsGraph:
    """A graph, cut down to what some of its nodes need.

    Args:
        file: The JSON file; its weights lie in the same folder.
        outputs: Names of the nodes whose values are wanted.

    Raises:
        ExpertError: A file is broken, a node is missing, or an operator is not among ``OPERATORS``.
    """

    def __init__(self, file: Path, *, outputs: Sequence[str]) -> None:
        try:
            model = json.loads(file.read_text(encoding="utf-8"))
            nodes = {node.name: node for node in map(_node, model["modelTopology"]["node"])}
            weights = _weights(model["weightsManifest"], file.parent)
            self._steps = _needed(nodes, outputs)
        except (OSError, KeyError, ValueError) as broken:
            raise _broken(file, f"{type(broken).__name__} {broken}") from broken
        self._outputs = tuple(outputs)
        self._constants = {node.name: weights[node.name] for node in self._steps if node.operator == "Const"}
        self._steps = [node for node in self._steps if node.operator != "Const"]
        unknown = {node.operator for node in self._steps} - OPERATORS.keys() - {"Placeholder"}
        if unknown:
            raise _broken(file, f"operators {', '.join(sorted(unknown))}")
        self._last_use = {name: number for number, node in enumerate(self._steps) for name in node.inputs}

    @torch.inference_mode()
    def run(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the values of the wanted nodes for the graph's one input (batch x height x width x channels)."""
        values = dict(self._constants)
        for number, node in enumerate(self._steps):
            if node.operator == "Placeholder":
                values[node.name] = picture
                continue
            values[node.name] = OPERATORS[node.operator](node, *(values[name] for name in node.inputs))
            for name in set(node.inputs):
                # Big pictures pass through hundreds of nodes: each value goes when nobody needs it any more.
                if self._last_use[name] == number and name not in self._outputs:
                    del values[name]
        return tuple(values[name] for name in self._outputs)


def _word(encoded: str) -> str:
    return base64.b64decode(encoded).decode("ascii")


def _node(entry: Mapping[str, Any]) -> GraphNode:
    # "^name" only orders execution and ":0" is the first output: neither changes which value is meant.
    inputs = tuple(name.removesuffix(":0") for name in entry.get("input", []) if not name.startswith("^"))
    return GraphNode(name=entry["name"], operator=entry["op"], inputs=inputs, attributes=entry.get("attr", {}))


def _needed(nodes: Mapping[str, GraphNode], outputs: Sequence[str]) -> list[GraphNode]:
    """Order the nodes that the outputs depend on, each after its inputs."""
    ordered: dict[str, GraphNode] = {}
    waiting = list(reversed(outputs))
    while waiting:
        node = nodes[waiting[-1]]
        missing = [name for name in node.inputs if name not in ordered]
        if missing:
            waiting.extend(missing)
            continue
        ordered[waiting.pop()] = node
    return list(ordered.values())


def _weights(manifest: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for group in manifest:
        content, start = b"".join((folder / name).read_bytes() for name in group["paths"]), 0
        for entry in group["weights"]:
            quantised = entry.get("quantization", {})
            stored = np.dtype(quantised.get("dtype", entry["dtype"])).newbyteorder("<")
            numbers = np.frombuffer(content, stored, int(np.prod(entry["shape"])), start)
            start += numbers.nbytes
            found[entry["name"]] = torch.from_numpy(_dequantised(numbers, entry).reshape(entry["shape"]))
    return found


def _dequantised(numbers: np.ndarray, entry: Mapping[str, Any]) -> np.ndarray:
    quantised = entry.get("quantization", {})
    if "scale" in quantised:
        return (numbers * np.float32(quantised["scale"]) + np.float32(quantised["min"])).astype(np.float32)
    return numbers.astype(entry["dtype"])


def _broken(file: Path, found: str) -> ExpertError:
    return ExpertError(
        given=f"{file} ({found})",
        expected="a TensorFlow.js graph file of known operators, with its weights beside it",
        remedy="Fetch the part again with `step1x data setup`.",
    )


def _margins(node: GraphNode, sides: Sequence[int], window: Sequence[int]) -> list[tuple[int, int]]:
    """Return what TensorFlow pads before and after each axis: with an odd number, after gets one more."""
    if node.text("padding") == "VALID":
        return [(0, 0)] * len(sides)
    totals = [
        max((-(-side // stride) - 1) * stride + (reach - 1) * spread + 1 - side, 0)
        for side, reach, stride, spread in zip(
            sides, window, node.numbers("strides")[1:3], node.numbers("dilations")[1:3], strict=True
        )
    ]
    return [(total // 2, total - total // 2) for total in totals]


def _convolved(node: GraphNode, pixels: Tensor, kernel: Tensor, groups: int) -> Tensor:
    stride, dilation = node.numbers("strides")[1:3], node.numbers("dilations")[1:3]
    (top, bottom), (left, right) = _margins(node, pixels.shape[1:3], kernel.shape[2:])
    padding = (top, left)
    if (top, left) != (bottom, right):
        pixels, padding = F.pad(pixels, (0, 0, left, right, top, bottom)), (0, 0)
    found = F.conv2d(
        pixels.permute(0, 3, 1, 2), kernel, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    return found.permute(0, 2, 3, 1)


def _fused(node: GraphNode, value: Tensor, extra: Sequence[Tensor]) -> Tensor:
    more = iter(extra)
    for name in node.fused:
        value = value + next(more) if name == "BiasAdd" else OPERATORS[name](node, value)
    return value


def _convolution(node: GraphNode, pixels: Tensor, kernel: Tensor, *extra: Tensor) -> Tensor:
    if kernel.shape[:2] == (1, 1) and node.numbers("strides") == [1, 1, 1, 1]:
        # Torch takes its slow path for such a kernel on one picture; a product of matrices is the same and fast.
        return _fused(node, pixels @ kernel[0, 0], extra)
    return _fused(node, _convolved(node, pixels, kernel.permute(3, 2, 0, 1), 1), extra)


def _depthwise(node: GraphNode, pixels: Tensor, kernel: Tensor, *extra: Tensor) -> Tensor:
    height, width, channels, each = kernel.shape
    single = kernel.permute(2, 3, 0, 1).reshape(channels * each, 1, height, width)
    return _fused(node, _convolved(node, pixels, single, channels), extra)


def _mean(node: GraphNode, value: Tensor, axes: Tensor) -> Tensor:
    return value.mean(dim=axes.reshape(-1).tolist(), keepdim=node.flag("keep_dims"))


def _concatenated(_: GraphNode, *values: Tensor) -> Tensor:
    return torch.cat(values[:-1], dim=int(values[-1]))


def _resized(node: GraphNode, pixels: Tensor, size: Tensor) -> Tensor:
    """Resize bilinearly with TensorFlow's first rule: pixel 0 stays on pixel 0, and nothing is centred."""
    if node.flag("align_corners") or node.flag("half_pixel_centers"):
        raise ExpertError(
            given=f"{node.name} with aligned corners or pixel centres",
            expected="plain ResizeBilinear",
            remedy="Use the version of the part that `step1x data setup` fetches.",
        )
    for axis, wanted in ((1, int(size[0])), (2, int(size[1]))):
        place = torch.arange(wanted) * (pixels.shape[axis] / wanted)
        before = place.floor().long()
        after = (before + 1).clamp(max=pixels.shape[axis] - 1)
        share = (place - before).reshape([-1 if number == axis else 1 for number in range(4)])
        pixels = torch.lerp(pixels.index_select(axis, before), pixels.index_select(axis, after), share)
    return pixels


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "_FusedConv2D": _convolution,
    "Conv2D": _convolution,
    "FusedDepthwiseConv2dNative": _depthwise,
    "DepthwiseConv2dNative": _depthwise,
    "Mean": _mean,
    "ConcatV2": _concatenated,
    "ResizeBilinear": _resized,
    "Add": lambda _, first, second: first + second,
    "Mul": lambda _, first, second: first * second,
    "Relu": lambda _, value: value.relu(),
    "Relu6": lambda _, value: value.clamp(0, 6),
    "Sigmoid": lambda _, value: value.sigmoid(),
    "Identity": lambda _, value: value,
}
"""What each operator does with its node and the values of its inputs."""
