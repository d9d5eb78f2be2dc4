"""Which operators an ONNX model runs, read before an engine loads it.

An ONNX file may name other files, whose content an engine reads as weights, and
operators of libraries that are loaded for it. So all weights must be in the file, and
every operator must be one that computes tensors from tensors.
"""

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from google.protobuf.message import DecodeError, EncodeError

from realesrgan_paddle.inference.graph.exported_files import check_count
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import open_regular

ALLOWED = frozenset(
    {
        "Add",
        "AveragePool",
        "BatchNormalization",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "Conv",
        "ConvTranspose",
        "DepthToSpace",
        "Div",
        "Elu",
        "Erf",
        "Exp",
        "Gather",
        "Gelu",
        "GlobalAveragePool",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "InstanceNormalization",
        "LayerNormalization",
        "LeakyRelu",
        "MatMul",
        "MaxPool",
        "Mul",
        "PRelu",
        "Pad",
        "Pow",
        "ReduceMean",
        "Relu",
        "Reshape",
        "Resize",
        "Shape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "SpaceToDepth",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Tanh",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operators of upscalers, none of which touches a file or runs other code."""
STANDARD = ("", "ai.onnx")
"""The two names of the domain of ONNX's own operators."""

LARGEST_MODEL = 1 << 30
"""Largest file [bytes]: RealESRGAN_x4plus has 67 MB."""


def import_onnx() -> ModuleType:
    """Return the package onnx; UserError if it is not installed."""
    try:
        import onnx  # an extra
    except ImportError:
        raise UserError(
            "ONNX files need the packages onnx and onnxruntime, which are not "
            "installed: pip install onnx onnxruntime"
        ) from None
    return onnx


def checked_onnx(path: Path) -> bytes:
    """Return the model of an `.onnx` file, read once and fit to be run.

    Written anew from what was read, so that an engine reads nothing else in it.

    Raises:
        UserError: an operator that no upscaler needs, by its name; weights in other
            files; the file is no ONNX model, or far larger than that of an upscaler;
            the package onnx is not installed.
    """
    onnx = import_onnx()
    with open_regular(path) as file:
        content = file.read(LARGEST_MODEL + 1)
    if len(content) > LARGEST_MODEL:
        raise UserError(
            f"{path}: larger than {LARGEST_MODEL >> 30} GiB, so no upscaler's model"
        )

    try:
        model = onnx.ModelProto.FromString(content)
        model.DiscardUnknownFields()
        _check(path, model)
        return model.SerializeToString()
    except (DecodeError, EncodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: damaged, or not an ONNX model") from error


def _check(path: Path, model: Any) -> None:
    """Raise UserError for what no upscaler's model has."""
    if not model.graph.node:
        raise UserError(f"{path}: not an ONNX model, or one without operators")
    _check_operators(path, model)
    attributes = [each for node in model.graph.node for each in node.attribute]
    _check_attributes(path, attributes)
    tensors = [each.t for each in attributes]
    _check_weights_are_within(path, [*model.graph.initializer, *tensors])


def _check_operators(path: Path, model: Any) -> None:
    """Raise UserError for operators that are not allowed, or very many."""
    nodes = model.graph.node
    foreign = sorted(
        {
            f"{node.domain}.{node.op_type}".removeprefix(".")
            for node in nodes
            if node.op_type not in ALLOWED or node.domain not in STANDARD
        }
    )
    if foreign:
        names = ", ".join(repr(name[:40]) for name in foreign[:3])
        raise UserError(
            f"{path}: has operators that no upscaler needs ({names}), so it is not run; "
            "export the network yourself with tools/export_model.py --onnx"
        )
    check_count(path, nodes)
    if model.functions or model.training_info or model.graph.sparse_initializer:
        raise UserError(
            f"{path}: has functions, training steps or sparse weights; an upscaler's "
            "graph has none"
        )


def _check_attributes(path: Path, attributes: Iterable[Any]) -> None:
    """Raise UserError for attributes that hold graphs, or several tensors."""
    for each in attributes:
        holders = (each.graphs, each.tensors, each.sparse_tensors)
        single = each.HasField("g") or each.HasField("sparse_tensor")
        if single or any(holders):
            raise UserError(
                f"{path}: an operator's {each.name[:40]!r} is a graph or a list of "
                "tensors; no operator of an upscaler has such"
            )


def _check_weights_are_within(path: Path, tensors: Iterable[Any]) -> None:
    """Raise UserError if a tensor's values are in another file."""
    for tensor in tensors:
        if tensor.data_location or tensor.external_data:
            raise UserError(
                f"{path}: the values of {tensor.name[:40]!r} are in another file, which "
                "the model would choose; save it with all weights in one file"
            )
