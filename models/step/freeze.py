"""Parameters that are not trained: for a whole run, or while something else is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

from paddle import Tensor, nn

from realesrgan_paddle.utils.errors import UserError, did_you_mean


def freeze(network: nn.Layer, patterns: Sequence[str]) -> None:
    """Freeze the parameters whose names match any of the patterns, such as "body.0.*".

    Raises:
        UserError: a pattern matches no name, or no parameter is left to train.
    """
    names = [name for name, _ in network.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            hint = did_you_mean(pattern, _possible_patterns(names))
            raise UserError(
                f"train.freeze: {pattern!r} matches no parameter of network_g{hint}"
            )

    for name, parameter in network.named_parameters():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.stop_gradient = True

    if not trainable_parameters(network):
        raise UserError(
            "train.freeze: matches every parameter of network_g; leave some to train"
        )


@contextmanager
def frozen(layer: nn.Layer) -> Iterator[None]:
    """Keep gradients out of the layer's parameters; its input still gets them."""
    parameters = trainable_parameters(layer)
    for parameter in parameters:
        parameter.stop_gradient = True
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.stop_gradient = False


def trainable_parameters(network: nn.Layer) -> list[Tensor]:
    """Return the parameters that are not frozen."""
    named = named_trainable_parameters(network)
    return [parameter for _, parameter in named]


def named_trainable_parameters(network: nn.Layer) -> list[tuple[str, Tensor]]:
    """Return the parameters that are not frozen, with their names in the state dict."""
    return [
        (name, parameter)
        for name, parameter in network.named_parameters()
        if not parameter.stop_gradient
    ]


def _possible_patterns(names: Sequence[str]) -> list[str]:
    """Return the names, and the prefix of each group of them with ".*"."""
    groups = set()
    for name in names:
        words = name.split(".")
        for length in range(1, len(words)):
            prefix = ".".join(words[:length])
            groups.add(f"{prefix}.*")
    return [*names, *sorted(groups)]
