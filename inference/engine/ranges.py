"""How large the features of a network become, for each channel: found, kept and read for int8.

They stand in `inference.int8.json` beside an exported network.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.inference.engine.operators import EngineOps
from realesrgan_paddle.inference.engine.tensors import Features, Image, Weight
from realesrgan_paddle.inference.graph.exported_files import exported_files
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import (
    atomic_path,
    open_regular,
    parse_object,
    read_regular,
)

Ranges = Mapping[str, np.ndarray]
"""{name of a weight: the largest absolute value of each of its features, activated}."""

PERCENTILE = 99.99
"""Of the absolute values of a channel in an image; what lies above is limited.

Wu et al. 2020, "Integer Quantization for Deep Learning Inference", sections 3.3 and 6.
"""
SMALLEST = 1e-6
"""The range of a channel that is zero everywhere."""
MOST_BYTES = 2**25
"""Of the file: 4096 layers of 256 channels take 20 MB."""
LARGEST_RANGE = 1e30
"""Above it, and below its inverse, float32 ends."""


class RangeOps(EngineOps):
    """The engine's operators, which note how large the features of one image are."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ranges: dict[str, np.ndarray] = {}

    def _conv(
        self,
        x: Features | Image,
        weight: Weight,
        bias: Weight,
        slopes: Weight | None,
        slope: float,
    ) -> Features:
        features = super()._conv(x, weight, bias, slopes, slope)
        if slopes is not None or slope != 1:
            values = np.abs(self.leave(features).array)
            largest = np.percentile(values, PERCENTILE, (1, 2))
            self.ranges[weight.name] = np.maximum(largest, SMALLEST).astype(np.float32)
        return features


def ranges_file(model: Path) -> Path:
    """Return the path of the file of an exported model."""
    program, _ = exported_files(model)
    return program.with_suffix(".int8.json")


def write_ranges(model: Path, ranges: Ranges) -> Path:
    """Write the file beside an exported model, and return its path."""
    path = ranges_file(model)
    content = {
        "weights_sha256": _digest(model),
        "ranges": {name: values.tolist() for name, values in ranges.items()},
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return path


def read_ranges(model: Path, description: SRVGGNetCompact) -> Ranges:
    """Return the ranges of an exported model.

    Raises:
        UserError: there is no file, it is damaged, or it was made for other weights.
    """
    path = ranges_file(model)
    make = f"make it with tools/quantize.py --model_path {model} --calibration FOLDER"
    if not path.exists():
        raise UserError(f"{path}: no such file, which int8 needs; {make}")
    with open_regular(path) as file:
        text = file.read(MOST_BYTES)
    try:
        content = parse_object(text)
        is_for_these = content.get("weights_sha256") == _digest(model)
        ranges = _ranges(content.get("ranges"), description) if is_for_these else {}
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error}); {make}") from error
    if not is_for_these:
        raise UserError(f"{path}: was made for other weights; {make}")
    return ranges


def range_shapes(description: SRVGGNetCompact) -> dict[str, int]:
    """Return {name of a weight: the channels of its features}, for all but the last."""
    shapes = {}
    for i in range(description.num_conv + 1):
        name = f"body.{2 * i}.weight"
        shapes[name] = description.num_feat
    return shapes


def _ranges(found: object, description: SRVGGNetCompact) -> Ranges:
    """Return what was read as arrays; ValueError if it is not what the network has."""
    shapes = range_shapes(description)
    if not isinstance(found, dict) or set(found) != set(shapes):
        raise ValueError(f"not the ranges of {len(shapes)} layers")
    ranges = {}
    for name, channels in shapes.items():
        values = found[name]
        is_list = isinstance(values, list) and len(values) == channels
        if not is_list or not all(_is_range(value) for value in values):
            raise ValueError(f"{name} has not {channels} numbers above 0")
        ranges[name] = np.array(values, np.float32)
    return ranges


def _is_range(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 1 / LARGEST_RANGE < value < LARGEST_RANGE


def _digest(model: Path) -> str:
    _, weights = exported_files(model)
    digest = hashlib.sha256(read_regular(weights))
    return digest.hexdigest()
