"""A network written as a static graph, which is run and compared before it is kept."""

import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.static import InputSpec

from realesrgan_paddle.inference.graph.exported_files import MODEL_NAME, ONNX_NAME
from realesrgan_paddle.inference.graph.inference_yml import (
    NAME,
    Export,
    inference_yml,
    is_ours,
    read_tensors,
)
from realesrgan_paddle.inference.graph.onnx_check import import_onnx
from realesrgan_paddle.inference.graph.onnx_write import onnx_model
from realesrgan_paddle.inference.graph.step_names import STEP_INPUTS
from realesrgan_paddle.inference.runners.dygraph_runner import (
    DygraphRunner,
    require_rgb,
)
from realesrgan_paddle.inference.runners.graph_in_process import GraphInProcess
from realesrgan_paddle.inference.runners.onnx_runners import OnnxRuntimeRunner
from realesrgan_paddle.inference.runners.static_runner import open_graph
from realesrgan_paddle.inference.tiles import size_multiple
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, check_utf8, sha256_of
from realesrgan_paddle.utils.machine.devices import core_count

FILES = (
    "inference.pdiparams",
    "inference.pdiparams.info",
    "inference.json",
    ONNX_NAME,
    NAME,
    MODEL_NAME,
)
"""The program comes last: a reader that sees it sees its weights.

The .json is Paddle 3's own format (PIR), the .yml is described in `inference_yml.py`.
"""
MAY_BE_MISSING = ("inference.json", ONNX_NAME)
"""Those of them that not every export has."""
INPUT = "x"
"""The name of the graph's input."""
SHAPES = ((1, 16, 16), (2, 9, 14), (1, 27, 5))
"""(N, H, W) of the comparison; odd, not square, smaller than the receptive field."""
TOLERANCE = 1e-4
"""Allowed difference, of an image in [0, 1]: a fortieth of a level of 8 bits."""

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Exported:
    """What `export` wrote, and how close the graph is to the network."""

    files: list[Path]
    differences: dict[Shape, float]
    """Greatest absolute difference from the dygraph network, by input shape (N, C, H, W)."""
    onnx_differences: dict[Shape, float]
    """The same of inference.onnx; empty if it was not asked for."""
    without_json: str
    """Why there is no inference.json; empty if there is one."""
    without_yml: str
    """Why no inference.yml was written; empty if one was."""


def export(
    description: Generator,
    tensors: Mapping[str, np.ndarray],
    folder: str | Path,
    *,
    onnx: bool = False,
) -> Exported:
    """Write the network as a static graph into `folder`; return what was written.

    The graph takes float32 RGB [N, 3, H, W] in [0, 1], with N, H, W free (H, W multiples
    of 2 for RRDBNet x2, of 4 for x1), and returns [N, 3, scale * H, scale * W], not
    clipped. Paddle 2.6 and 3.x read it, whichever wrote it. Nothing is written unless
    the graph, run by paddle.inference on the CPU, agrees with the dygraph network at
    three sizes. With `onnx` an inference.onnx is written too, if onnxruntime agrees.
    Of a network that carries a state through videos one step is written, which takes the
    frames beside a frame and a state too, and returns the next state too.

    Raises:
        UserError: the weights do not fit, or a graph differs from the network; the
            packages for ONNX are not installed.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; name a folder to export to")
    check_utf8(folder)  # Paddle opens the files in it
    require_rgb(description, "export")
    if onnx:
        import_onnx()

    with tempfile.TemporaryDirectory() as name, _on_cpu(), _home_in(name):
        temporary = Path(name)
        network = Network(description)
        load_weights(network, tensors)
        network.eval()
        layer: nn.Layer = network
        if isinstance(description, RecurrentSRVGG):
            layer = _Step(network)

        with _old_ir():
            _save(layer, description, temporary)
        without_json = _add_json(layer, description, temporary)

        runner = DygraphRunner(network, description.scale)
        graph = open_graph(temporary, device="cpu")
        differences = _compare(runner, graph)
        onnx_differences = _add_onnx(network, runner, temporary) if onnx else {}
        without_yml = _add_yml(network, temporary, folder)

        files = _publish(temporary, folder)
        return Exported(files, differences, onnx_differences, without_json, without_yml)


class _Step(nn.Layer):
    """What is written of a network that carries a state: see `Network.step`."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, x: Tensor, before: Tensor, after: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the upscaled frames, and the state for those after them."""
        return self.network.step(x, before, after, state)


def _save(layer: nn.Layer, description: Generator, folder: Path) -> None:
    channels = {INPUT: 3}
    if isinstance(description, RecurrentSRVGG):
        channels = dict.fromkeys(STEP_INPUTS, 3)
        channels["state"] = description.num_state

    inputs = [
        InputSpec([None, count, None, None], "float32", name=name)
        for name, count in channels.items()
    ]
    path = folder / "inference"
    paddle.jit.save(layer, str(path), input_spec=inputs)


def _old_ir() -> AbstractContextManager[None]:
    """Return a context in which Paddle 3 writes `.pdmodel`, as Paddle 2 always does.

    Paddle's own `paddle.jit.api.json_to_pdmodel` uses it too. The graphs equal those
    written with FLAGS_enable_pir_api=0, which must be set before Paddle is imported.
    """
    if paddle.framework.use_pir_api():
        return paddle.pir_utils.OldIrGuard()
    return nullcontext()


def _add_json(layer: nn.Layer, description: Generator, made: Path) -> str:
    """Write inference.json beside the `.pdmodel`; return the reason if that is impossible.

    It has no weights of its own: it is kept only if Paddle writes the very same weight
    file for both.
    """
    if not paddle.framework.use_pir_api():
        return "this Paddle does not write it"

    pir = made / "pir"
    _save(layer, description, pir)
    name = "inference.pdiparams"
    if not filecmp.cmp(pir / name, made / name, shallow=False):
        return "it would need other weights than the .pdmodel"
    shutil.move(pir / "inference.json", made)
    return ""


def _add_yml(network: Network, made: Path, folder: Path) -> str:
    """Write inference.yml beside all others; return the reason if there is a foreign one.

    Another program's file of that name in `folder` is not overwritten.
    """
    there = folder / NAME
    if os.path.lexists(there) and not is_ours(there):
        return (
            f"{there} is not of this project, so it is left as it is, and Paddle's "
            "predictor runs the graph, not the fast engine"
        )
    state = network.state_dict()
    # Paddle writes tensors in the order of their variables' names.
    names = sorted(state, key=lambda name: state[name].name.encode())
    files = {name: sha256_of(made / name) for name in FILES if (made / name).is_file()}
    what = Export.model_construct(
        network=network.description, tensors=tuple(names), files=files
    )
    for name, array in read_tensors(made / MODEL_NAME, what).items():
        if array.tobytes() != state[name].numpy().tobytes():
            raise UserError(
                f"Paddle {paddle.__version__} writes the tensors of inference.pdiparams "
                "in an order that is not known; use Paddle 3.3 or 2.6"
            )
    (made / NAME).write_text(inference_yml(what, INPUT), encoding="utf-8")
    return ""


def _add_onnx(
    network: Network, runner: DygraphRunner, made: Path
) -> dict[Shape, float]:
    """Write inference.onnx; return how onnxruntime's outputs differ from `runner`'s."""
    state = network.state_dict()
    tensors = {name: tensor.numpy() for name, tensor in state.items()}
    path = made / ONNX_NAME
    path.write_bytes(onnx_model(network.description, tensors))
    return _compare(runner, OnnxRuntimeRunner(path, core_count()))


def _compare(network: DygraphRunner, graph: GraphInProcess) -> dict[Shape, float]:
    """Return the differences of an exported graph; UserError if one is too great."""
    multiple = size_multiple(network.scale)
    random = np.random.default_rng(0)

    differences = {}
    for batch, height, width in SHAPES:
        shape = (batch, 3, height * multiple, width * multiple)
        images = random.random(shape, np.float32)
        pairs = [(graph(images), network(images))]
        if hasattr(network, "num_state"):
            frame = images[0]
            before, after = random.random((2, *frame.shape), np.float32)
            state = random.random((network.num_state, *frame.shape[1:]), np.float32)
            step = (frame, before, after, state - np.float32(0.5))
            pairs += zip(graph.step(*step), network.step(*step), strict=True)
        differences[shape] = max(_difference(shape, *pair) for pair in pairs)
    return differences


def _difference(shape: Shape, found: np.ndarray, expected: np.ndarray) -> float:
    """Return the difference of a graph's output; UserError if it is too great."""
    difference = float(np.abs(found - expected).max())
    allowed = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    # Written so that NaN is refused too.
    if not difference <= allowed:
        raise UserError(
            f"the exported graph differs from the network by {difference:.2g} for "
            f"{shape}; {TOLERANCE:g} is allowed, so nothing was written"
        )
    return difference


def _publish(made: Path, folder: Path) -> list[Path]:
    """Copy the finished files to `folder`, all or (if there is no room) none of them.

    What an earlier export, for other weights, wrote and this one lacks is removed.
    """
    files = [folder / name for name in FILES if (made / name).is_file()]
    with ExitStack() as written:
        for file in reversed(files):  # the last one entered is the first to appear
            temporary = written.enter_context(atomic_path(file))
            shutil.copyfile(made / file.name, temporary)
        for name in MAY_BE_MISSING:
            if not (made / name).is_file():
                (folder / name).unlink(missing_ok=True)
    return files


@contextmanager
def _home_in(folder: str) -> Iterator[None]:
    """Let Paddle write the code that it traces into `folder`, not below the user's home.

    A home may be read-only, and Paddle leaves its files there.
    """
    home = Path(folder) / "home"
    home.mkdir()
    before = {name: os.environ.get(name) for name in ("HOME", "USERPROFILE")}
    os.environ.update(dict.fromkeys(before, str(home)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _on_cpu() -> Iterator[None]:
    """Compute on the CPU in this context, and where it was before after it."""
    before = paddle.get_device()
    paddle.set_device("cpu")
    try:
        yield
    finally:
        paddle.set_device(before)
