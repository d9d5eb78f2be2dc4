"""Weights into a network, checked by name and shape; why they do not fit, in terms of options."""

from collections.abc import Mapping, Sequence

import numpy as np
from paddle import nn

from realesrgan_paddle.models.networks.description import Description, Tensors
from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.utils.errors import UserError

MAX_NAMED = 3
"""An error message names so many tensors of each kind."""


def load_weights(
    layer: nn.Layer,
    tensors: Mapping[str, np.ndarray],
    *,
    strict: bool = True,
    source: str = "weights",
) -> None:
    """Copy `tensors` into the parameters and buffers of `layer`, in the layer's dtypes.

    Nothing is copied if something does not fit. With `strict=False`, tensors that are
    missing, unexpected or of another shape are left out, as BasicSR does; a file without
    a single one that fits is still an error.

    Raises:
        UserError: names `source`, how many tensors do not fit, up to three of them, and
            the likely cause; or the tensors are not finite.
    """
    check_weights(layer, tensors, strict=strict, source=source)
    for name, target in layer.state_dict().items():
        if name in tensors and list(tensors[name].shape) == list(target.shape):
            target.set_value(tensors[name].astype(target.numpy().dtype))


def check_weights(
    layer: nn.Layer,
    tensors: Mapping[str, np.ndarray],
    *,
    strict: bool = True,
    source: str,
) -> None:
    """Raise what `load_weights` raises where `tensors` do not fit; change nothing."""
    targets = layer.state_dict()
    present = [name for name in targets if name in tensors]
    missing = [name for name in targets if name not in tensors]
    unexpected = [name for name in tensors if name not in targets]
    misshapen = [
        f"{name} {list(tensors[name].shape)} instead of {list(targets[name].shape)}"
        for name in present
        if list(tensors[name].shape) != list(targets[name].shape)
    ]

    problems = {
        "missing": missing,
        "not of this network": unexpected,
        "of another shape": misshapen,
    }
    fits_none = len(misshapen) == len(present)
    if any(problems.values()) and (strict or fits_none):
        found = "; ".join(
            _count(kind, names) for kind, names in problems.items() if names
        )
        cause = _likely_cause(missing, unexpected, misshapen)
        raise UserError(f"{source}: do not fit {_name(layer)}: {found}. {cause}")

    broken = [name for name in present if not np.isfinite(tensors[name]).all()]
    if broken:
        raise UserError(
            f"{source}: damaged, or saved after training diverged: NaN or infinite "
            f"numbers in {_count('tensors', broken)}"
        )


def _name(layer: nn.Layer) -> str:
    return (
        layer.description.type if isinstance(layer, Network) else type(layer).__name__
    )


def _count(kind: str, names: Sequence[str]) -> str:
    """Return a count with some of the names: "5 missing (a, b, c ...)"."""
    some = ", ".join(names[:MAX_NAMED])
    more = " ..." if len(names) > MAX_NAMED else ""
    return f"{len(names)} {kind} ({some}{more})"


def _likely_cause(
    missing: Sequence[str], unexpected: Sequence[str], misshapen: Sequence[str]
) -> str:
    if unexpected and all(name.startswith("module.") for name in unexpected):
        return (
            "They were saved from a parallel wrapper: remove 'module.' from the names"
        )
    if misshapen and not missing and not unexpected:
        return "The network's width, scale or number of channels is different"
    if missing and unexpected:
        return (
            "They belong to another kind of network, or name the same layers otherwise"
        )
    return "The network's number of blocks or layers is different"


def differing_options(tensors: Tensors, wanted: Description, source: str) -> str:
    """Return how the network in a file differs from the one of the options; "" if unknown.

    Such as "num_block: the file has 23, the option says 9".

    Args:
        tensors: {name: array} under BasicSR's names.
        wanted: the network that the options describe.
        source: the file.
    """
    arguments = wanted.model_dump()
    try:
        found = recognize(tensors, source, arguments.get("act_type"))
    except UserError:
        return ""
    if type(found) is not type(wanted):
        return f"the file holds {found}, the options say {arguments['type']}"

    differences = []
    for name, in_file in found.model_dump().items():
        if in_file != arguments[name]:
            differences.append(
                f"{name}: the file has {in_file}, the option says {arguments[name]}"
            )
    return "; ".join(differences)
