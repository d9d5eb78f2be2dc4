"""A network as an ONNX model, made directly from its forward pass."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from realesrgan_paddle.inference.graph.onnx_check import import_onnx
from realesrgan_paddle.inference.graph.onnx_recorder import UNKNOWN, OnnxOps, Value
from realesrgan_paddle.models.networks.description import Generator

OPSET = 17
"""ONNX's operators as of June 2022; onnxruntime reads them from 1.12 on."""
IR_VERSION = 8
"""The file format that came with this opset. The library would write its newest."""


def onnx_model(description: Generator, tensors: Mapping[str, np.ndarray]) -> bytes:
    """Return the network as an ONNX model.

    Its input `x` is float32 RGB [N, 3, H, W] in [0, 1] with N, H, W free, as that of the
    `.pdmodel`; its output `output` is [N, 3, scale * H, scale * W], not clipped.

    Args:
        description: the network.
        tensors: {name: float32 array}, with the names and shapes of `description`.

    Raises:
        UserError: the package onnx is not installed.
    """
    onnx = import_onnx()
    helper = onnx.helper

    ops = OnnxOps()
    output = _record(description, tensors, ops)
    nodes = [
        helper.make_node(node.operator, node.inputs, [node.output], **node.attributes)
        for node in ops.nodes
    ]
    weights = [
        onnx.numpy_helper.from_array(array, name)
        for name, array in ops.constants.items()
    ]

    float32 = onnx.TensorProto.FLOAT
    image = ["N", description.num_in_ch, "H", "W"]
    upscaled = ["N", description.num_out_ch, "upscaled_H", "upscaled_W"]
    nodes.append(helper.make_node("Identity", [output], ["output"]))
    graph = helper.make_graph(
        nodes,
        description.type,
        [helper.make_tensor_value_info("x", float32, image)],
        [helper.make_tensor_value_info("output", float32, upscaled)],
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


def _record(
    description: Generator, tensors: Mapping[str, np.ndarray], ops: OnnxOps
) -> str:
    """Record the forward pass with `ops`; return the name of its output."""
    weights: dict[str, Any] = {}
    for layer, parameters in description.layers().items():
        names = [f"{layer}.{part}" for part in parameters]
        arrays = [tensors[name] for name in names]
        weights[layer] = tuple(map(ops.constant, names, arrays))

    shape = (UNKNOWN, description.num_in_ch, UNKNOWN, UNKNOWN)
    image: Any = Value("x", shape, ops)
    recording: Any = ops  # without the methods that only losses use
    return description.forward(image, weights, recording).name
