"""The networks there are, and which of them a set of tensors belongs to."""

from typing import get_args

from pydantic import ValidationError

from realesrgan_paddle.models.networks.description import (
    Description,
    Generator,
    Tensors,
)
from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.errors import UserError

AnyGenerator = RRDBNet | RecurrentSRVGG | SRVGGNetCompact | RDN | RRDN
"""Every generator there is: a new one is added here, and nowhere else.

In the order in which they are looked for: RecurrentSRVGG has all that SRVGGNetCompact has.
"""

GENERATORS: tuple[type[Generator], ...] = get_args(AnyGenerator)


def recognize(
    tensors: Tensors, source: str = "weights", act_type: str | None = None
) -> Description:
    """Return the network whose tensors these are, every name and shape checked.

    Args:
        tensors: {name: array} under BasicSR's names (see `weights.layouts`).
        source: the file, for error messages.
        act_type: the activation of an SRVGGNetCompact without PReLU ("relu" or
            "leakyrelu"), which its tensors do not tell.

    Raises:
        UserError: no known network, or one with tensors missing, unexpected or of
            another shape.
    """
    networks: tuple[type[Description], ...] = (*GENERATORS, UNetDiscriminatorSNOptions)
    for network in networks:
        try:
            found = network.recognize(tensors, source, act_type)
        except ValidationError as error:
            name = network.model_fields["type"].default
            argument = error.errors()[0]["loc"][0]
            raise UserError(
                f"{source}: looks like {name}, but no {name} has the {argument} that its "
                "tensors tell"
            ) from None
        if found is not None:
            _check_tensors(tensors, found, source)
            return found

    some = ", ".join(sorted(tensors)[:3]) or "none"
    names = ", ".join(network.model_fields["type"].default for network in networks)
    raise UserError(
        f"{source}: no known network among {len(tensors)} tensors ({some} ...); known "
        f"are {names}"
    )


def _check_tensors(tensors: Tensors, network: Description, source: str) -> None:
    expected = network.tensor_shapes()
    present = expected.keys() & tensors.keys()
    problems = {
        "missing": expected.keys() - present,
        "unexpected": tensors.keys() - present,
        "of another shape": {n for n in present if tensors[n].shape != expected[n]},
    }

    found = [
        f"{len(names)} {problem} ({', '.join(sorted(names)[:3])})"
        for problem, names in problems.items()
        if names
    ]
    if found:
        raise UserError(
            f"{source}: looks like {network}, but of its tensors {'; '.join(found)}"
        )
