"""Weights into a network, checked by name and shape."""

from collections.abc import Mapping, Sequence

import numpy as np
from paddle import nn

from realesrgan_paddle.utils.errors import UserError


def load_state(
    layer: nn.Layer,
    tensors: Mapping[str, np.ndarray],
    *,
    strict: bool = True,
    source: str = "",
) -> None:
    """Copy `tensors` into the parameters and buffers of `layer`, in the layer's own dtypes.

    Nothing is copied when something does not fit. With `strict=False`, missing and
    unexpected tensors are left alone; a wrong shape is an error all the same, and so is
    not a single tensor that fits.

    Raises:
        UserError: names `source`, how many tensors do not fit, up to three of them, and
            the likely cause; or they hold other than finite numbers.
    """
    targets = layer.state_dict()
    missing = [key for key in targets if key not in tensors]
    unexpected = [key for key in tensors if key not in targets]
    misshapen = [
        f"{key} {list(tensors[key].shape)} instead of {list(target.shape)}"
        for key, target in targets.items()
        if key in tensors and list(tensors[key].shape) != list(target.shape)
    ]
    strict = strict or len(missing) == len(targets)
    if misshapen or (strict and (missing or unexpected)):
        problems = [
            _some("missing", missing if strict else []),
            _some("not of this network", unexpected if strict else []),
            _some("of another shape", misshapen),
        ]
        raise UserError(
            f"{source or 'weights'}: do not fit {type(layer).__name__}: "
            + "; ".join(problem for problem in problems if problem)
            + f". {_likely_cause(missing, unexpected, misshapen)}"
        )
    broken = [
        key for key in targets if key in tensors and not np.isfinite(tensors[key]).all()
    ]
    if broken:
        raise UserError(
            f"{source or 'weights'}: damaged, or saved after training diverged: NaN or infinite numbers in "
            + _some("tensors", broken)
        )
    for key, target in targets.items():
        if key in tensors:
            target.set_value(tensors[key].astype(target.numpy().dtype))


def _some(what: str, keys: Sequence[str]) -> str:
    """Return "5 missing (a, b, c ...)", or nothing for no keys."""
    more = " ..." if len(keys) > 3 else ""
    return f"{len(keys)} {what} ({', '.join(keys[:3])}{more})" if keys else ""


def _likely_cause(
    missing: Sequence[str], unexpected: Sequence[str], misshapen: Sequence[str]
) -> str:
    if unexpected and all(key.startswith("module.") for key in unexpected):
        return "They were saved from a parallel wrapper: take 'module.' off their names"
    if misshapen and not missing and not unexpected:
        return "The network's width, scale or number of channels is another"
    if missing and unexpected:
        return (
            "They belong to another kind of network, or name the same layers otherwise"
        )
    return "The network's number of blocks or layers is another"
