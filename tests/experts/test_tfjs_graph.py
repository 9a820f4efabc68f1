"""Each operator of the graph runner does what TensorFlow's documentation says, shown against plain loops or torch."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from step1x_edit.errors import ExpertError
from step1x_edit.experts.tfjs_graph import OPERATORS, GraphNode, TfjsGraph

pytestmark = pytest.mark.fast


def word(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def window(*, stride: int = 1, padding: str = "SAME", dilation: int = 1, fused: tuple[str, ...] = ()) -> dict:
    return {
        "strides": {"list": {"i": ["1", str(stride), str(stride), "1"]}},
        "dilations": {"list": {"i": ["1", str(dilation), str(dilation), "1"]}},
        "padding": {"s": word(padding)},
        "fused_ops": {"list": {"s": [word(one) for one in fused]}},
    }


def node(operator: str, attributes: dict | None = None) -> GraphNode:
    return GraphNode(name="it", operator=operator, inputs=(), attributes=attributes or {})


def done(operator: str, *inputs: Tensor, attributes: dict | None = None) -> Tensor:
    return OPERATORS[operator](node(operator, attributes), *inputs)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def convolved_by_loops(
    pixels: np.ndarray, kernel: np.ndarray, *, stride: int, padding: str, dilation: int
) -> np.ndarray:
    """Sum over the window for each place, padded as tf.nn.conv2d documents it; the kernel is height, width, in, out."""
    reach = [(side - 1) * dilation + 1 for side in kernel.shape[:2]]
    if padding == "SAME":
        outs = [-(-side // stride) for side in pixels.shape[:2]]
        totals = [
            max((out - 1) * stride + far - side, 0) for out, far, side in zip(outs, reach, pixels.shape, strict=False)
        ]
        pixels = np.pad(pixels, [*((total // 2, total - total // 2) for total in totals), (0, 0)])
    else:
        outs = [(side - far) // stride + 1 for side, far in zip(pixels.shape, reach, strict=False)]
    found = np.zeros((*outs, kernel.shape[3]), np.float64)
    for row in range(outs[0]):
        for column in range(outs[1]):
            top, left = row * stride, column * stride
            part = pixels[top : top + reach[0] : dilation, left : left + reach[1] : dilation]
            found[row, column] = np.einsum("hwi,hwio->o", part, kernel)
    return found


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("side", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (2, 2, 1), (1, 1, 1), (1, 2, 1), (3, 1, 2)]
)
@pytest.mark.parametrize("operator", ["Conv2D", "_FusedConv2D"])
def test_a_convolution_sums_over_its_window(operator, side, stride, dilation, padding):
    pixels, kernel = numbers(1, 8, 7, 3), numbers(side, side, 3, 5, seed=1)
    attributes = window(stride=stride, padding=padding, dilation=dilation)
    found = done(operator, pixels, kernel, attributes=attributes)
    expected = convolved_by_loops(pixels[0].numpy(), kernel.numpy(), stride=stride, padding=padding, dilation=dilation)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("operator", ["DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"])
@pytest.mark.parametrize(("stride", "each"), [(1, 1), (2, 1), (1, 2)])
def test_a_depthwise_convolution_keeps_channels_apart(operator, stride, each):
    pixels, kernel = numbers(1, 9, 8, 4), numbers(3, 3, 4, each, seed=1)
    found = done(operator, pixels, kernel, attributes=window(stride=stride))
    for channel in range(4):
        expected = convolved_by_loops(
            pixels[0, ..., channel : channel + 1].numpy(),
            kernel[:, :, channel : channel + 1].numpy(),
            stride=stride,
            padding="SAME",
            dilation=1,
        )
        np.testing.assert_allclose(found[0, ..., channel * each : (channel + 1) * each].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("operator", ["_FusedConv2D", "FusedDepthwiseConv2dNative"])
def test_bias_and_activation_follow_in_the_order_they_are_listed(operator):
    pixels, bias = 4 * numbers(1, 6, 6, 2), numbers(2, seed=2)
    kernel = numbers(3, 3, 2, 2 if operator == "_FusedConv2D" else 1, seed=1)
    plain = done(operator, pixels, kernel, attributes=window())
    fused = done(operator, pixels, kernel, bias, attributes=window(fused=("BiasAdd", "Relu6")))
    assert torch.equal(fused, (plain + bias).clamp(0, 6))


def test_simple_operators_are_torchs_own():
    first, second = numbers(2, 3, 4, 5), numbers(2, 1, 1, 5, seed=1)
    assert torch.equal(done("Add", first, second), first + second)
    assert torch.equal(done("Mul", first, second), first * second)
    assert torch.equal(done("Relu", first), torch.relu(first))
    assert torch.equal(done("Relu6", 9 * first), torch.nn.functional.relu6(9 * first))
    assert torch.equal(done("Sigmoid", first), torch.sigmoid(first))
    assert torch.equal(done("Identity", first), first)


def test_a_mean_goes_over_the_named_axes_and_keeps_them_when_asked():
    value, axes = numbers(1, 4, 5, 3), torch.tensor([1, 2], dtype=torch.int32)
    torch.testing.assert_close(done("Mean", value, axes), value.flatten(1, 2).mean(1))
    assert done("Mean", value, axes, attributes={"keep_dims": {"b": True}}).shape == (1, 1, 1, 3)


def test_values_are_joined_along_the_axis_that_comes_last():
    first, second = numbers(1, 2, 2, 3), numbers(1, 2, 2, 1)
    assert torch.equal(done("ConcatV2", first, second, torch.tensor(-1)), torch.cat([first, second], 3))


def test_resizing_starts_at_the_first_pixel_and_repeats_the_last():
    pixels = torch.tensor([0.0, 10.0]).reshape(1, 1, 2, 1)
    found = done("ResizeBilinear", pixels, torch.tensor([1, 4]))
    assert found.flatten().tolist() == [0.0, 5.0, 10.0, 10.0]
    assert torch.equal(done("ResizeBilinear", pixels, torch.tensor([1, 2])), pixels)


def test_resizing_by_another_rule_is_refused():
    with pytest.raises(ExpertError, match="pixel centres"):
        done(
            "ResizeBilinear", numbers(1, 2, 2, 1), torch.tensor([4, 4]), attributes={"half_pixel_centers": {"b": True}}
        )


def test_every_operator_is_proved_here():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in OPERATORS if f'"{name}"' not in source] == []


def graph_file(folder: Path, *, cut: int = 0, operator: str = "Mul") -> Path:
    """Write a graph that gives 2 * picture + offset, with weights in the three forms files use, and a side branch."""
    nodes = [
        {"name": "picture", "op": "Placeholder"},
        {"name": "factor", "op": "Const"},
        {"name": "offset", "op": "Const"},
        {"name": "axes", "op": "Const"},
        {"name": "scaled", "op": operator, "input": ["picture", "factor"]},
        {"name": "moved", "op": "Add", "input": ["scaled:0", "offset", "^factor"]},
        {"name": "mean", "op": "Mean", "input": ["moved", "axes"]},
        {"name": "aside", "op": "NobodyKnowsThis", "input": ["moved"]},
    ]
    content = np.float16(2).tobytes() + np.array([10, 20], np.uint8).tobytes() + np.array([1, 2], np.int32).tobytes()
    eight_bits = {"dtype": "uint8", "scale": 0.5, "min": -5.0}
    weights = [
        {"name": "factor", "shape": [], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {"name": "offset", "shape": [2], "dtype": "float32", "quantization": eight_bits},
        {"name": "axes", "shape": [2], "dtype": "int32"},
    ]
    (folder / "weights.bin").write_bytes(content[: len(content) - cut])
    manifest = [{"paths": ["weights.bin"], "weights": weights}]
    file = folder / "graph.json"
    file.write_text(json.dumps({"modelTopology": {"node": nodes}, "weightsManifest": manifest}))
    return file


def test_a_graph_is_run_as_far_as_its_outputs_need(tmp_path):
    graph = TfjsGraph(graph_file(tmp_path), outputs=("moved", "mean"))
    picture = numbers(1, 2, 3, 2)
    moved, mean = graph.run(picture)
    expected = 2 * picture + torch.tensor([0.0, 5.0])
    assert torch.equal(moved, expected)
    torch.testing.assert_close(mean, expected.mean(dim=(1, 2)))


@pytest.mark.parametrize(
    ("made", "outputs", "told"),
    [
        ({"cut": 3}, ("moved",), "buffer"),
        ({"operator": "Imagined"}, ("moved",), "Imagined"),
        ({}, ("nowhere",), "nowhere"),
    ],
)
def test_a_broken_or_unknown_graph_is_refused_with_its_name(tmp_path, made, outputs, told):
    with pytest.raises(ExpertError, match=told):
        TfjsGraph(graph_file(tmp_path, **made), outputs=outputs)


def test_what_is_no_graph_is_refused(tmp_path):
    (tmp_path / "graph.json").write_text("not JSON")
    with pytest.raises(ExpertError, match=r"graph\.json"):
        TfjsGraph(tmp_path / "graph.json", outputs=("moved",))
