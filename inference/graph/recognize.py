"""Which network an exported graph is, found without Paddle."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from realesrgan_paddle.inference.graph.candidates import candidates
from realesrgan_paddle.inference.graph.exported_files import exported_files
from realesrgan_paddle.inference.graph.graph_check import checked_description
from realesrgan_paddle.inference.graph.matching_ops import (
    Feature,
    MatchingOps,
    Parameter,
)
from realesrgan_paddle.inference.graph.parameters import read_parameters
from realesrgan_paddle.inference.graph.program import Program, UnknownGraphError
from realesrgan_paddle.models.networks.description import Generator

if TYPE_CHECKING:
    from paddle import Tensor

    from realesrgan_paddle.models.networks.description import Weights
    from realesrgan_paddle.ops.plain import Ops


@dataclass(frozen=True)
class Known:
    """An exported network.

    Attributes:
        description: which one, with its arguments.
        tensors: {name: float32 array}: `description.tensor_shapes()`, in that order.
    """

    description: Generator
    tensors: dict[str, np.ndarray]


def recognize(model: Path) -> Known | str:
    """Return the network that an exported graph is, or a short reason why none is known.

    The graph is known only if each of its operators is the one that the network, written
    by `export`, has in its place, with the same inputs and attributes; so it computes
    what the network computes with these tensors. Paddle 2.6 and 3 may have written it.

    Args:
        model: a folder with inference.pdmodel and inference.pdiparams, or a `.pdmodel`
            file with its `.pdiparams` beside it.

    Returns:
        The network, or such as "its operator 12 is instance_norm where RRDBNet has
        conv2d".

    Raises:
        UserError: a file is missing or of another kind, or the graph may not be run at
            all; see `checked_description`.
    """
    program_file, weights_file = exported_files(model)
    message = checked_description(program_file)
    try:
        program = Program(message)
        description, variables = _match(program)
        arrays = read_parameters(weights_file, program.weights)
    except UnknownGraphError as error:
        return str(error)
    return Known(description, {name: arrays[variables[name]] for name in variables})


def _match(program: Program) -> tuple[Generator, dict[str, str]]:
    """Return the network, and {name of a tensor: variable}.

    The reason why there is none is that of the network which fits most operators.
    """
    furthest = 0
    reason = "it has not the convolutions of any known network"
    for description in candidates(program):
        ops = MatchingOps(program, description.type)
        try:
            _follow(description, ops)
        except UnknownGraphError as error:
            if ops.index > furthest:
                furthest, reason = ops.index, str(error)
        else:
            return description, ops.variables
    raise UnknownGraphError(reason)


def _follow(description: Generator, ops: MatchingOps) -> None:
    """Walk through the whole program; UnknownGraphError where it is not the network."""
    parameters = {
        layer: tuple(
            Parameter(f"{layer}.{name}", parameter.shape)
            for name, parameter in parameters.items()
        )
        for layer, parameters in description.layers().items()
    }
    images = cast("Tensor", ops.feed())
    output = description.forward(images, cast("Weights", parameters), cast("Ops", ops))
    ops.fetch(cast(Feature, output))
