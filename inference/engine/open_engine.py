"""Open the engine for an exported graph that is a known network, or for weights."""

from pathlib import Path

from realesrgan_paddle.inference.engine.engine import Engine
from realesrgan_paddle.inference.engine.int8.operators import Ranges
from realesrgan_paddle.inference.engine.int8.ranges_file import read_ranges
from realesrgan_paddle.inference.graph.recognize import Known, recognize
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.weight_options import WeightOptions
from realesrgan_paddle.ops.onednn.library import OneDNNError
from realesrgan_paddle.utils.errors import UserError


class NotUsableError(UserError):
    """The engine cannot run this network here; the message says why."""


def open_engine(
    model: str | Path, precision: str, threads: int, weights: WeightOptions | None
) -> Engine:
    """Return the engine for a network.

    Args:
        model: an exported graph, or weights: what `read_generator` takes.
        precision: see `Engine`.
        threads: CPU threads.
        weights: how weights are read; None: `model` is a graph.

    Raises:
        UserError: the model cannot be read, or may not be run.
        NotUsableError: the graph is not recognized, or oneDNN cannot compute the network
            on this processor.
    """
    known = _network(model, weights)
    if isinstance(known, str):
        raise NotUsableError(f"not a network that the engine knows: {known}")
    ranges = None
    if precision == "int8":
        ranges = _ranges(model, known.description, weights)
    try:
        return Engine(
            known.description, known.tensors, precision, threads, ranges=ranges
        )
    except OneDNNError as error:
        raise NotUsableError(f"the engine cannot run it: {error}") from error


def _network(model: str | Path, weights: WeightOptions | None) -> Known | str:
    """Return the network, or why a graph is none that is known."""
    if weights is None:
        return recognize(Path(model))
    description, tensors = weights.read(model)
    return Known(description, dict(tensors))


def _ranges(
    model: str | Path, description: Generator, weights: WeightOptions | None
) -> Ranges | None:
    """Return the ranges for int8; None if the network has no int8 anyway."""
    if not isinstance(description, SRVGGNetCompact):
        return None
    if weights is not None:
        raise UserError(
            f"{model}: weights, and int8 is had with exported models; export them with "
            "tools/export_model.py, then run tools/quantize.py"
        )
    return read_ranges(Path(model), description)
