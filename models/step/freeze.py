"""Parts of a network that do not learn."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from paddle import Tensor, nn

from realesrgan_paddle.utils.errors import UserError, did_you_mean


def freeze(network: nn.Layer, patterns: Sequence[str]) -> None:
    """Stop the gradients of the parameters whose names match any of the patterns, such as "body.0.*".

    Raises:
        UserError: a pattern matches no name, or nothing is left to learn.
    """
    names = [name for name, _ in network.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(
                f"train.freeze: {pattern!r} matches no parameter of network_g{did_you_mean(pattern, _patterns(names))}"
            )
    for name, parameter in network.named_parameters():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.stop_gradient = True
    if not learning(network):
        raise UserError(
            "train.freeze: matches every parameter of network_g; leave some to learn"
        )


def learning(network: nn.Layer) -> list[Tensor]:
    """Return the parameters that learn."""
    return [
        parameter for parameter in network.parameters() if not parameter.stop_gradient
    ]


def _patterns(names: Sequence[str]) -> list[str]:
    """Return the names, and for each group of them its prefix with ".*"."""
    parts = [name.split(".") for name in names]
    groups = {".".join(part[:i]) + ".*" for part in parts for i in range(1, len(part))}
    return [*names, *sorted(groups)]
