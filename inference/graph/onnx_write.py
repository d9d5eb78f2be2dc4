"""A network as an ONNX model, made directly from its forward pass.

The networks are written over `ops.plain.Ops`. `OnnxOps` has those of its methods
that generators use, and computes nothing: each method notes the ONNX operators that
compute the same (https://onnx.ai/onnx/operators), and returns the name of their result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from realesrgan_paddle.inference.graph.onnx_check import import_onnx
from realesrgan_paddle.inference.graph.step_names import STEP_INPUTS, STEP_OUTPUTS
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.recurrent_srvgg import (
    RecurrentSRVGG,
    joined_beside,
)
from realesrgan_paddle.ops.plain import DENSE_BLOCK_SLOPE, concatenating_dense_block

OPSET = 17
"""ONNX's operators as of June 2022; onnxruntime reads them from 1.12 on."""
IR_VERSION = 8
"""The file format that came with this opset. The library would write its newest."""
UNKNOWN = -1
"""A size that is known only when the graph is run, as in Paddle's shapes."""


@dataclass(frozen=True)
class Node:
    """One operator of the graph."""

    operator: str
    inputs: list[str]
    output: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph; it may be added, subtracted and multiplied by numbers."""

    name: str
    shape: tuple[int, ...]
    ops: "OnnxOps"

    def __add__(self, other: "Value") -> "Value":
        return self.ops.add(self, other)

    def __sub__(self, other: "Value") -> "Value":
        return self.ops.subtract(self, other)

    def __rmul__(self, factor: float) -> "Value":
        return self.ops.multiply(self, factor)


class OnnxOps:
    """The operators of generators as ONNX's; see `Ops` for what each returns.

    Attributes:
        nodes: the operators so far, in the order in which they are computed.
        constants: {name: array} of weights and numbers.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}

    def constant(self, name: str, array: np.ndarray) -> Value:
        """Return a tensor with these values."""
        self.constants[name] = array
        return Value(name, array.shape, self)

    def enter(self, x: Value) -> Value:
        """Return x."""
        return x

    def leave(self, x: Value) -> Value:
        """Return x."""
        return x

    def conv(
        self,
        x: Value,
        weight: Value,
        bias: Value | None = None,
        *,
        stride: int = 1,
        padding: int = 1,
        slope: float = 1.0,
    ) -> Value:
        """See `Ops`."""
        inputs = [x, weight] if bias is None else [x, weight, bias]
        channels = weight.shape[0]
        strides, pads = [stride] * 2, [padding] * 4
        y = self._node("Conv", inputs, channels, strides=strides, pads=pads)
        return self.leaky_relu(y, slope)

    def add(self, x: Value, y: Value) -> Value:
        """See `Ops`."""
        channels = x.shape[1]
        return self._node("Add", [x, y], channels)

    def subtract(self, x: Value, y: Value) -> Value:
        """Return x - y."""
        return self._node("Sub", [x, y], x.shape[1])

    def multiply(self, x: Value, factor: float) -> Value:
        """Return x * factor."""
        channels = x.shape[1]
        array = np.array(factor, np.float32)
        number = self.constant(f"factor_{factor}", array)
        return self._node("Mul", [x, number], channels)

    def leaky_relu(self, x: Value, slope: float) -> Value:
        """See `Ops`."""
        if slope == 1:
            return x
        if slope == 0:
            return self._node("Relu", [x], x.shape[1])
        return self._node("LeakyRelu", [x], x.shape[1], alpha=slope)

    def conv_prelu(
        self, x: Value, weight: Value, bias: Value | None, slopes: Value
    ) -> Value:
        """See `Ops`."""
        y = self.conv(x, weight, bias)
        # ONNX aligns shapes at their ends: (C,) would be one slope for each column.
        by_channel = self.constants[slopes.name].reshape(-1, 1, 1)
        inputs = [y, self.constant(slopes.name, by_channel)]
        return self._node("PRelu", inputs, y.shape[1])

    def conv_upsampled(
        self,
        x: Value,
        weight: Value,
        bias: Value | None = None,
        *,
        slope: float = 1.0,
    ) -> Value:
        """See `Ops`; "nearest" is the one mode that generators use."""
        return self.conv(self.nearest_upsample(x, 2), weight, bias, slope=slope)

    def pixel_shuffle(self, x: Value, scale: int) -> Value:
        """See `Ops`."""
        channels = x.shape[1] // scale**2
        return self._node(
            "DepthToSpace",
            [x],
            channels,
            blocksize=scale,
            mode="CRD",
        )

    def pixel_unshuffle(self, x: Value, scale: int) -> Value:
        """See `Ops`."""
        # A convolution that picks each pixel: SpaceToDepth orders channels otherwise, and
        # OpenVINO 2026.4 computes it wrong where what reorders them follows.
        channels = x.shape[1] * scale**2
        one_hot = np.eye(channels, dtype=np.float32)
        filters = one_hot.reshape(channels, -1, scale, scale)
        pick = self.constant(f"unshuffle_{scale}", filters)
        return self.conv(x, pick, stride=scale, padding=0)

    def concat(self, tensors: Sequence[Value]) -> Value:
        """See `Ops`."""
        channels = 0
        for tensor in tensors:
            channels += tensor.shape[1]
        return self._node("Concat", tensors, channels, axis=1)

    def nearest_upsample(self, x: Value, scale: int) -> Value:
        """See `Ops`."""
        scales = np.array([1, 1, scale, scale], np.float32)
        region = Value("", (), self)  # left out
        return self._node(
            "Resize",
            [x, region, self.constant(f"by_{scale}", scales)],
            x.shape[1],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def clip(self, x: Value, most: float) -> Value:
        """See `Ops`."""
        bounds = [
            self.constant(f"bound_{bound}", np.array(bound, np.float32))
            for bound in (-most, most)
        ]
        return self._node("Clip", [x, *bounds], x.shape[1])

    def dense_block(
        self,
        x: Value,
        convolutions: Sequence[tuple[Value, Value]],
        *,
        slope: float = DENSE_BLOCK_SLOPE,
    ) -> Value:
        """See `Ops`."""
        ops: Any = self  # without the methods that only losses use
        return concatenating_dense_block(ops, x, convolutions, slope)

    def _node(
        self, operator: str, inputs: Sequence[Value], channels: int, **attributes: Any
    ) -> Value:
        """Note an operator; return its output, (N, channels, H, W)."""
        output = f"{operator}_{len(self.nodes)}"
        names = [value.name for value in inputs]
        self.nodes.append(Node(operator, names, output, attributes))
        return Value(output, (UNKNOWN, channels, UNKNOWN, UNKNOWN), self)


def onnx_model(description: Generator, tensors: Mapping[str, np.ndarray]) -> bytes:
    """Return the network as an ONNX model.

    Its input `x` is float32 RGB [N, 3, H, W] in [0, 1] with N, H, W free, as that of the
    `.pdmodel`; its output `output` is [N, 3, scale * H, scale * W], not clipped. A network
    that carries a state has more of both, see `step_names`.

    Args:
        description: the network.
        tensors: {name: float32 array}, with the names and shapes of `description`.

    Raises:
        UserError: the package onnx is not installed.
    """
    onnx = import_onnx()
    helper = onnx.helper

    ops = OnnxOps()
    outputs = _record(description, tensors, ops)
    nodes = [
        helper.make_node(node.operator, node.inputs, [node.output], **node.attributes)
        for node in ops.nodes
    ]
    weights = [
        onnx.numpy_helper.from_array(array, name)
        for name, array in ops.constants.items()
    ]

    float32 = onnx.TensorProto.FLOAT
    shapes = [["N", description.num_out_ch, "upscaled_H", "upscaled_W"]]
    if isinstance(description, RecurrentSRVGG):
        shapes.append(["N", description.num_state, "H", "W"])
    names = STEP_OUTPUTS[: len(shapes)]
    for name, output in zip(names, outputs, strict=True):
        nodes.append(helper.make_node("Identity", [output], [name]))
    graph = helper.make_graph(
        nodes,
        description.type,
        [
            helper.make_tensor_value_info(name, float32, ["N", channels, "H", "W"])
            for name, channels in _inputs(description).items()
        ],
        [
            helper.make_tensor_value_info(name, float32, shape)
            for name, shape in zip(names, shapes, strict=True)
        ],
        weights,
        doc_string=str(description),
    )

    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="realesrgan-paddle",
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _inputs(description: Generator) -> dict[str, int]:
    """Return {name of an input: its channels}."""
    if not isinstance(description, RecurrentSRVGG):
        return {"x": description.num_in_ch}
    channels = dict.fromkeys(STEP_INPUTS, description.num_in_ch)
    return {**channels, "state": description.num_state}


def _record(
    description: Generator, tensors: Mapping[str, np.ndarray], ops: OnnxOps
) -> list[str]:
    """Record the forward pass, or a step, with `ops`; return the names of its outputs."""
    weights: dict[str, Any] = {}
    for layer, parameters in description.layers().items():
        names = [f"{layer}.{part}" for part in parameters]
        arrays = [tensors[name] for name in names]
        weights[layer] = tuple(map(ops.constant, names, arrays))

    inputs: list[Any] = [
        Value(name, (UNKNOWN, channels, UNKNOWN, UNKNOWN), ops)
        for name, channels in _inputs(description).items()
    ]
    recording: Any = ops  # without the methods that only losses use
    image = inputs[0]
    if isinstance(description, RecurrentSRVGG):
        before, after, state = inputs[1:]
        beside = joined_beside(image, before, after, state, recording.concat)
        outputs = description.step(image, beside, weights, recording)
        return [output.name for output in outputs]
    return [description.forward(image, weights, recording).name]
