"""A network as a static graph: `inference.pdmodel` and its weights, run and compared before they appear."""

import filecmp
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle
from paddle import nn
from paddle.static import InputSpec

from realesrgan_paddle.models.inference.predictors import (
    DygraphRunner,
    load_static,
    require_rgb,
)
from realesrgan_paddle.models.inference.tiles import size_multiple
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.weights.assign import load_state
from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.errors import UserError

# The program comes last: a reader that sees it sees its weights. The .json is Paddle
# 3's own format (PIR).
FILES = (
    "inference.pdiparams",
    "inference.pdiparams.info",
    "inference.json",
    "inference.pdmodel",
)
SHAPES = (
    (1, 16, 16),
    (2, 9, 14),
    (1, 27, 5),
)  # (N, H, W); odd, not square, and smaller than the network sees
TOLERANCE = 1e-4  # of a image in [0, 1]; a fortieth of a level of 8 bits


@dataclass(frozen=True)
class Exported:
    """What `export` wrote, and what it saw when it ran it."""

    files: list[Path]
    differences: dict[tuple[int, int, int, int], float]
    """Greatest absolute difference from the dygraph network, for each input shape (N, C, H, W)."""
    without_json: str
    """Why there is no inference.json; empty where there is one."""


def export(
    spec: Generator, tensors: Mapping[str, np.ndarray], folder: str | Path
) -> Exported:
    """Write the network as a static graph into `folder` and return what was written and measured.

    The graph takes float32 RGB [N, 3, H, W] in [0, 1], N, H, W free (H, W multiples of
    2 for a network x2 with pixel-unshuffle, of 4 for x1), and gives [N, 3, scale * H,
    scale * W], not clipped. Paddle 2.6 and 3.x read it, whichever wrote it. Nothing is
    written unless the graph, run by paddle.inference on the CPU, agrees with the
    dygraph network at three sizes.

    Raises:
        UserError: the weights do not fit, or the graph differs from the network.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; name a folder to export to")
    require_rgb(spec, "export")
    with tempfile.TemporaryDirectory() as name, _on_cpu():
        made = Path(name)
        network = Network(spec)
        load_state(network, tensors)
        network.eval()
        with _old_ir():
            _save(network, made)
        without_json = _add_json(network, made)
        differences = _compare(DygraphRunner(network, spec.scale), made)
        return Exported(_publish(made, folder), differences, without_json)


def _save(network: nn.Layer, folder: Path) -> None:
    spec = InputSpec([None, 3, None, None], "float32", name="x")
    paddle.jit.save(network, str(folder / "inference"), input_spec=[spec])


def _old_ir() -> AbstractContextManager[None]:
    """Return a context in which Paddle 3 writes `.pdmodel`, as Paddle 2 always does.

    Paddle's own `paddle.jit.api.json_to_pdmodel` does it so. The graphs equal those
    written with FLAGS_enable_pir_api=0, which must be set before Paddle is imported.
    """
    return (
        paddle.pir_utils.OldIrGuard()
        if paddle.framework.use_pir_api()
        else nullcontext()
    )


def _add_json(network: nn.Layer, made: Path) -> str:
    """Write inference.json beside the `.pdmodel`; return why not where that is not possible.

    It has no weights of its own: it may only join when Paddle writes the very same file
    for both.
    """
    if not paddle.framework.use_pir_api():
        return "this Paddle does not write it"
    own = made / "pir"
    _save(network, own)
    if not filecmp.cmp(
        own / "inference.pdiparams", made / "inference.pdiparams", shallow=False
    ):
        return "it would need other weights than the .pdmodel"
    shutil.move(own / "inference.json", made)
    return ""


def _compare(
    network: DygraphRunner, made: Path
) -> dict[tuple[int, int, int, int], float]:
    """Return the differences of the exported graph from `network`; UserError if one is too great."""
    graph = load_static(made, device="cpu")
    multiple = size_multiple(network.scale)
    random = np.random.default_rng(0)
    differences = {}
    for batch, height, width in SHAPES:
        images = random.random(
            (batch, 3, height * multiple, width * multiple), np.float32
        )
        expected = network(images)
        difference = float(np.abs(graph(images) - expected).max())
        if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise UserError(
                f"the exported graph differs from the network by {difference:.2g} for {images.shape};"
                f" {TOLERANCE:g} is allowed, so nothing was written"
            )
        differences[images.shape] = difference
    return differences


def _publish(made: Path, folder: Path) -> list[Path]:
    """Copy the finished files to `folder`, all of them or, if there is no room, none; return their paths.

    An inference.json of an earlier export, for other weights, goes.
    """
    files = [folder / name for name in FILES if (made / name).is_file()]
    with ExitStack() as written:
        for file in reversed(files):  # the last to be entered is the first to appear
            shutil.copyfile(made / file.name, written.enter_context(atomic_path(file)))
        if not (made / "inference.json").is_file():
            (folder / "inference.json").unlink(missing_ok=True)
    return files


@contextmanager
def _on_cpu() -> Iterator[None]:
    """Compute on the CPU inside, and where it was before outside."""
    before = paddle.get_device()
    paddle.set_device("cpu")
    try:
        yield
    finally:
        paddle.set_device(before)
