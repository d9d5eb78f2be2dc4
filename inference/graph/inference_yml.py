"""`inference.yml`: what an exported graph takes and makes, beside the graph.

Its name and its parts Global, PreProcess and PostProcess are those of the model folders of
PaddleX 3 (`BasePredictor.load_config` reads `Global.model_name`; PaddleOCR's and
PaddleClas's exports have `PreProcess.transform_ops`). PaddleX 3 has no task for
super-resolution, so nothing there runs the graph by this file alone: it tells a program,
or its author, how. Our own tools need nothing of it.
"""

from pathlib import Path

import yaml

from realesrgan_paddle.inference.tiles import size_multiple
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import open_regular
from realesrgan_paddle.utils.version import VERSION

NAME = "inference.yml"
MARK = "# Written by realesrgan-paddle"
"""How each such file of ours begins."""
WHITE = 255
"""The highest level of 8 bits; images of 16 bits are divided by 65535."""


def inference_yml(network: Generator, input_name: str) -> str:
    """Return the content of `inference.yml` for a network's graph.

    Args:
        network: the network, from RGB to RGB.
        input_name: the name of the graph's input.
    """
    own = {
        "version": VERSION,
        "network": network.model_dump(mode="json"),
        "scale": network.scale,
        "input": {
            "name": input_name,
            "shape": [-1, 3, -1, -1],
            "dtype": "float32",
            "color_order": "RGB",
            "range": [0.0, 1.0],
            "size_multiple": size_multiple(network.scale),
        },
        "output": {
            "dtype": "float32",
            "color_order": "RGB",
            "range": [0.0, 1.0],
            "clipped": False,
        },
    }
    parts = {
        "Global": {"model_name": f"{network.type}_x{network.scale}"},
        "PreProcess": {"transform_ops": _preparation()},
        "RealESRGAN": own,
    }
    head = f"{MARK} {VERSION}. Height and width must be multiples of size_multiple.\n"
    return head + yaml.safe_dump(parts, sort_keys=False, default_flow_style=None)


def _preparation() -> list[dict]:
    """Return the operators of PaddleX that make the graph's input of an 8-bit image."""
    normalize = {
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
        "scale": 1 / WHITE,
        "order": "hwc",
    }
    return [
        {"DecodeImage": {"channel_first": False, "img_mode": "RGB"}},
        {"NormalizeImage": normalize},
        {"ToCHWImage": None},
    ]


def is_ours(path: Path) -> bool:
    """Return whether a file is an `inference.yml` that this project wrote."""
    try:
        with open_regular(path) as file:
            return file.read(len(MARK)) == MARK.encode()
    except (OSError, UserError):
        return False
