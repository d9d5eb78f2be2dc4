"""Open the engine for an exported graph that is a known network, or for weights."""

from pathlib import Path

from realesrgan_paddle.models.inference.engine.engine import Engine
from realesrgan_paddle.models.inference.graph.recognize import Known, recognize
from realesrgan_paddle.models.weights.weight_options import WeightOptions
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ops.onednn.library import OneDNNError


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
    try:
        return Engine(known.description, known.tensors, precision, threads)
    except OneDNNError as error:
        raise NotUsableError(f"the engine cannot run it: {error}") from error


def _network(model: str | Path, weights: WeightOptions | None) -> Known | str:
    """Return the network, or why a graph is none that is known."""
    if weights is None:
        return recognize(Path(model))
    description, tensors = weights.read(model)
    return Known(description, dict(tensors))
