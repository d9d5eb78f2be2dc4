"""`inference.yml`: which network an exported graph is, and what it takes and makes.

Its name and its parts Global, PreProcess and PostProcess are those of the model folders of
PaddleX 3 (`BasePredictor.load_config` reads `Global.model_name`; PaddleOCR's and
PaddleClas's exports have `PreProcess.transform_ops`). PaddleX 3 has no task for
super-resolution, so nothing there runs the graph by this file alone: it tells a program,
or its author, how.

In a part of our own it holds the network, the order of its tensors in
inference.pdiparams, and the sha256 of each file that was exported with it. So the engine
runs the network from its tensors, without the graph. The file comes with a graph, often
from a stranger: nothing in it is trusted. Its network must be the one that the tensors
show, and what it names is read from files beside it alone.
"""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from realesrgan_paddle.inference.graph.exported_files import MODEL_NAME, ONNX_NAME
from realesrgan_paddle.inference.graph.paddle_files import read_parameters
from realesrgan_paddle.inference.graph.step_names import STEP_INPUTS, STEP_OUTPUTS
from realesrgan_paddle.inference.tiles import size_multiple
from realesrgan_paddle.models.networks.description import Description
from realesrgan_paddle.models.networks.known import AnyGenerator, recognize
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import open_regular, sha256_of
from realesrgan_paddle.utils.version import VERSION

NAME = "inference.yml"
MARK = "# Written by realesrgan-paddle"
"""How each such file of ours begins."""
OWN_PART = "RealESRGAN"
NOT_TOLD = {"act_type", "upscaling"}
"""Arguments that tensors tell only in part; one of a new network is added here."""
STEP_REMARK = """\
# One step of a network for video: before and after are the frames beside x, or x itself
# where there is none (a picture, a cut); state is next_state of the step before, at first
# zeros.
"""
WHITE = 255
"""The highest level of 8 bits; images of 16 bits are divided by 65535."""
LARGEST = 1 << 20
"""Largest file that is read [bytes]: RealESRGAN_x4plus's, of 702 tensors, has 20,000."""
_TAG = "tag:yaml.org,2002:"
EXPORT_AGAIN = "export it again with tools/export_model.py for the fast engine"

TensorName = Annotated[str, Field(max_length=200)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Export(BaseModel):
    """What an `inference.yml` says of the export that it belongs to.

    Attributes:
        network: the network.
        tensors: the names of its tensors, in the order of inference.pdiparams.
        files: {file name: sha256 in hexadecimal}.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    network: Annotated[AnyGenerator, Field(discriminator="type")]
    tensors: tuple[TensorName, ...]
    files: dict[str, Sha256]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's loader, for text, whole numbers, lists and mappings.

    That in C is 14 times as fast: 5 ms for RealESRGAN_x4plus. Of other values (1:00:00
    counts in sixties) some take long, and all stay text.
    """

    yaml_implicit_resolvers: ClassVar[dict] = {}

    def number(self, node: yaml.ScalarNode) -> int:
        """Return a whole number."""
        return int(self.construct_scalar(node))


_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag in {f"{_TAG}{kind}" for kind in ("str", "seq", "map")}
}
_Loader.add_constructor(f"{_TAG}int", _Loader.number)
_Loader.add_implicit_resolver(
    f"{_TAG}int", re.compile("[0-9]{1,9}$"), list("0123456789")
)


def inference_yml(export: Export, input_name: str) -> str:
    """Return the content of the `inference.yml` of an export.

    Args:
        export: its network is one from RGB to RGB.
        input_name: the name of the graph's input.
    """
    network = export.network
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
        "tensors": list(export.tensors),
        "files": export.files,
    }
    remark = ""
    if isinstance(network, RecurrentSRVGG):
        own["step"] = {
            "inputs": list(STEP_INPUTS),
            "outputs": list(STEP_OUTPUTS),
            "state_shape": [-1, network.num_state, -1, -1],
        }
        remark = STEP_REMARK
    parts = {
        "Global": {"model_name": f"{network.type}_x{network.scale}"},
        "PreProcess": {"transform_ops": _preparation()},
        OWN_PART: own,
    }
    head = f"{MARK} {VERSION}. Height and width must be multiples of size_multiple.\n"
    return (
        head + remark + yaml.safe_dump(parts, sort_keys=False, default_flow_style=None)
    )


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


def checked_export(graph: Path) -> Export | str:
    """Return what is known of a graph, whose files are those that were exported.

    Args:
        graph: the `.pdmodel` (its `.pdiparams` is checked too) or `.onnx` that is to run.

    Returns:
        What its inference.yml says, or why it has none that says it, a short reason: "it
        has no inference.yml ...". Such a graph is somebody else's, or of an older
        export, and may be run as it is.

    Raises:
        UserError: a file is not the one that was exported; or the inference.yml is ours,
            and damaged.
    """
    if graph.name not in (MODEL_NAME, ONNX_NAME):
        return f"no inference.yml tells what {graph.name} is; {EXPORT_AGAIN}"
    export = _read(graph.with_name(NAME))
    if isinstance(export, Export):
        files = [graph]
        if graph.name == MODEL_NAME:
            files.append(graph.with_suffix(".pdiparams"))
        for file in files:
            _check(file, export.files.get(file.name))
    return export


def read_tensors(graph: Path, export: Export) -> dict[str, np.ndarray]:
    """Return {name: float32 array} of an exported network, read from its `.pdiparams`.

    Args:
        graph: the `.pdmodel` beside it.
        export: what `checked_export` returned for it.

    Raises:
        UserError: they are not the network's tensors, all of them and of its shapes.
    """
    weights = graph.with_suffix(".pdiparams")
    tensors = read_parameters(weights, export.tensors)
    network = export.network
    act_type = getattr(network, "act_type", None)
    try:
        found = recognize(tensors, str(weights), act_type)
    except UserError as error:
        raise UserError(f"{error}; {_what_to_do(graph)}") from error
    # The shapes are asked for last: those of a forged network may be millions.
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if _told(found) != _told(network) or network.tensor_shapes() != shapes:
        raise UserError(
            f"{weights}: the tensors are those of {found}, {NAME} says {network}; "
            f"{_what_to_do(graph)}"
        )
    return {name: tensors[name] for name in network.tensor_shapes()}


def _told(network: Description) -> dict[str, Any]:
    """Return the arguments that a network's tensors tell."""
    return network.model_dump(exclude=NOT_TOLD)


def _read(path: Path) -> Export | str:
    """Return what an `inference.yml` says, or why there is none that says it."""
    if not path.exists():
        return f"it has no inference.yml; {EXPORT_AGAIN}"
    if not is_ours(path):
        return f"its inference.yml is of another program; {EXPORT_AGAIN}"
    with open_regular(path) as file:
        content = file.read(LARGEST + 1)
    try:
        own = _own_part(content)
        if not {"tensors", "files"} & own.keys():
            return f"its inference.yml is of an older version; {EXPORT_AGAIN}"
        return Export.model_validate(own)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        problem = f"{place}: {first['msg']}"
    except yaml.MarkedYAMLError as error:
        problem = str(error.problem)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = (str(error) or "not valid yml").splitlines()[0]
    raise UserError(f"{path}: damaged ({problem[:200]}); {_what_to_do(path)}")


def _own_part(content: bytes) -> dict:
    """Return the part of our own; ValueError if there is none."""
    if len(content) > LARGEST:
        raise ValueError(f"larger than {LARGEST >> 20} MiB")
    # Anchors and aliases, which we never write, may make much of a small file.
    if b"&" in content or b"*" in content:
        raise ValueError("it has an anchor or an alias")
    parts = yaml.load(content.decode(), _Loader)
    own = parts.get(OWN_PART) if isinstance(parts, dict) else None
    if not isinstance(own, dict):
        raise ValueError(f"it has no part {OWN_PART}")
    return own


def _check(file: Path, expected: str | None) -> None:
    """Raise UserError if a file has another sha256 than the one exported."""
    if expected is None:
        raise UserError(
            f"{file}: {NAME} beside it lists no such file, so it is of another export; "
            f"{_what_to_do(file)}"
        )
    found = sha256_of(file)
    if found != expected:
        raise UserError(
            f"{file}: not the file that was exported: its sha256 is {found[:12]}..., "
            f"{NAME} has {expected[:12]}...; {_what_to_do(file)}"
        )


def _what_to_do(file: Path) -> str:
    as_it_is = "with --engine openvino or onnxruntime"
    if file.suffix != ".onnx":
        as_it_is = "in Paddle's predictor"
    return (
        "export the network again with tools/export_model.py, or remove "
        f"{file.with_name(NAME)} to run the graph as it is {as_it_is}"
    )
