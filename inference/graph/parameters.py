"""The tensors of a `.pdiparams`, read without Paddle."""

import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from google.protobuf.message import DecodeError

from realesrgan_paddle.inference.graph.framework_proto import framework_proto
from realesrgan_paddle.inference.graph.program import Shape, UnknownGraphError
from realesrgan_paddle.utils.files import open_regular

HEADER = struct.Struct("<IQIi")
"""Version, number of sequence levels, version again, bytes of the description.

Paddle's SerializeToStream in `phi/core/framework/dense_tensor_serialize.cc`.
"""
LONGEST_DESCRIPTION = 64
"""Of a tensor [bytes]; one of four sizes has at most 46."""


def read_parameters(path: Path, shapes: Mapping[str, Shape]) -> dict[str, np.ndarray]:
    """Return {name: float32 array} of a `.pdiparams`, whose tensors have no names.

    Nothing is allocated for which the file has no data.

    Args:
        path: the file.
        shapes: {name: shape} of its tensors, in their order.

    Raises:
        UnknownGraphError: it has other tensors than these, or something more.
        UserError: it is a pipe, a socket or a device.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        arrays = {}
        for name, shape in shapes.items():
            _check_header(file, shape)
            if 4 * math.prod(shape) > size - file.tell():
                raise UnknownGraphError("its weights are cut off")
            arrays[name] = _read_array(file, shape)
        if file.tell() != size:
            raise UnknownGraphError("it has more weights than its program")
    return arrays


def _check_header(file: BinaryIO, shape: Shape) -> None:
    """Read up to a tensor's data, which must be float32 of that shape."""
    head = file.read(HEADER.size)
    if len(head) < HEADER.size:
        raise UnknownGraphError("its weights are cut off")
    *versions_and_levels, length = HEADER.unpack(head)
    if any(versions_and_levels) or not 0 <= length <= LONGEST_DESCRIPTION:
        raise UnknownGraphError("its weights are of an unknown format")

    proto = framework_proto().VarType
    try:
        tensor = proto.TensorDesc.FromString(file.read(length))
    except DecodeError as error:
        raise UnknownGraphError("its weights are damaged") from error
    if tensor.data_type != proto.FP32 or tuple(tensor.dims) != shape:
        raise UnknownGraphError("its weights are not those of its program")


def _read_array(file: BinaryIO, shape: Shape) -> np.ndarray:
    array = np.empty(shape, np.dtype("<f4"))
    data = array.reshape(-1).view(np.uint8)
    if file.readinto(data) < data.size:  # type: ignore[attr-defined]
        raise UnknownGraphError("its weights are cut off")
    return array
