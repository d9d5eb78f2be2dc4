"""A step's state: what is trained, and the arrays that training changes, checked.

An optimizer's state is kept under the network's names of its parameters.

Paddle names parameters by counting the layers built in the process (`conv2d_17.w_0`),
so its own state dict fits only a process that built the same layers in the same order.

A training state is checked before it is written and before it is loaded: a state that
is not sound would spoil the run without a word.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

import numpy as np
from paddle import Tensor, nn
from paddle.optimizer import Optimizer

from realesrgan_paddle.models.weights.assign import check_weights
from realesrgan_paddle.utils.errors import UserError, did_you_mean

MOMENTS = ("moment1_0", "moment2_0")
"""What Adam and AdamW keep of a parameter, in its shape: means of gradient and square."""
POWERS = ("beta1_pow_acc_0", "beta2_pow_acc_0")
"""Their single numbers: the betas to the power of the number of updates."""


def get_optimizer_state(
    optimizer: Optimizer, network: nn.Layer
) -> dict[str, np.ndarray]:
    """Return the optimizer's accumulators as "<parameter>/<accumulator>" -> array."""
    names = {
        parameter.name: name for name, parameter in named_trainable_parameters(network)
    }
    # Before the first update, Paddle 2.6's state_dict lacks a state that was loaded.
    accumulators = optimizer.state_dict() or optimizer._accumulators_holder

    state = {}
    for key, value in accumulators.items():
        owner = _owner(key, names)
        if owner is not None:
            accumulator = key[len(owner) + 1 :]
            # A tensor's `numpy` copies already, and `np.array` would copy that again.
            array = value.numpy() if isinstance(value, Tensor) else np.array(value)
            state[f"{names[owner]}/{accumulator}"] = array
    return state


def set_optimizer_state(
    optimizer: Optimizer, network: nn.Layer, state: Mapping[str, np.ndarray]
) -> None:
    """Restore what `get_optimizer_state` returned, for an optimizer of the same kind.

    The state of parameters that are frozen now is left out.

    Raises:
        UserError: the state has a parameter that the network does not have, or lacks a
            parameter that is trained.
    """
    names = {name: parameter.name for name, parameter in network.named_parameters()}
    trained = {name for name, _ in named_trainable_parameters(network)}

    accumulators = {}
    for key, value in state.items():
        name, _, accumulator = key.rpartition("/")
        if name not in names:
            raise UserError(f"optimizer state: the network has no parameter {name!r}")
        if name in trained:
            accumulators[f"{names[name]}_{accumulator}"] = value

    missing = trained - {key.rpartition("/")[0] for key in state}
    if state and missing:
        raise UserError(
            f"optimizer state: has no {min(missing)!r}, which was frozen before; give "
            "train.freeze as it was, or start a new run from the network: "
            "path.pretrain_network_g"
        )
    optimizer.set_state_dict(accumulators)


def _owner(key: str, names: Mapping[str, str]) -> str | None:
    """Return Paddle's name of the parameter that an accumulator belongs to, if any.

    One name may begin with another: the longest is right.
    """
    end = len(key)
    while (end := key.rfind("_", 0, end)) > 0:
        if key[:end] in names:
            return key[:end]
    return None


Parts = Mapping[str, Mapping[str, np.ndarray]]
"""Arrays by part ("generator", "ema", ...) and name."""


def check_network_part(layer: nn.Layer, parts: Parts, part: str, source: str) -> None:
    """Raise UserError unless a part holds the layer's weights, finite and in float32.

    Args:
        layer: the network.
        parts: a step's state.
        part: which one to check.
        source: what the message begins with.
    """
    if part not in parts:
        raise UserError(
            f"{source}: has no {part}, so it was saved by another model_type and cannot "
            "be resumed; start from its generator instead: path.pretrain_network_g"
        )
    for name, array in parts[part].items():
        check_array(f"{source}: {part}/{name}", array)
    check_weights(layer, parts[part], source=f"{source}, {part}")


def check_optimizer_part(
    network: nn.Layer, parts: Parts, part: str, source: str
) -> None:
    """Raise UserError unless a part holds what Adam keeps of the network's parameters.

    It may hold nothing, before the first update, and may lack frozen parameters.
    """
    shapes = {name: tuple(p.shape) for name, p in network.named_parameters()}
    found: dict[str, set[str]] = {}
    for key, array in parts.get(part, {}).items():
        where = f"{source}: {part}/{key}"
        parameter, _, accumulator = key.rpartition("/")
        if parameter not in shapes or accumulator not in MOMENTS + POWERS:
            raise UserError(
                f"{where}: nothing that the optimizer of this network keeps"
            )

        is_power = accumulator in POWERS
        check_array(where, array, (1,) if is_power else shapes[parameter])
        # Adam divides by 1 - power and by the square root of the second moment.
        if is_power and not 0 <= array[0] < 1:
            raise UserError(f"{where}: {array[0]} is not in [0, 1)")
        if accumulator == MOMENTS[1] and array.min(initial=0) < 0:
            raise UserError(f"{where}: a mean of squares is below 0")
        found.setdefault(parameter, set()).add(accumulator)

    for parameter, accumulators in found.items():
        for missing in sorted({*MOMENTS, *POWERS} - accumulators):
            raise UserError(f"{source}: {part}/{parameter}/{missing} is missing")


def check_counters(
    parts: Parts, part: str, highest: Mapping[str, tuple[float, ...]], source: str
) -> None:
    """Raise UserError unless a part, if there is one, holds numbers within bounds.

    Args:
        parts: a step's state.
        part: which one to check.
        highest: the largest values of each of its arrays; the smallest is 0.
        source: what the message begins with.
    """
    arrays = parts.get(part, {})
    if arrays and arrays.keys() != highest.keys():
        raise UserError(f"{source}: {part} holds {', '.join(arrays)}")
    for name, array in arrays.items():
        bounds = np.array(highest[name])
        fits = array.shape == bounds.shape and array.dtype.kind in "fi"
        if not (fits and np.all((array >= 0) & (array <= bounds))):
            raise UserError(
                f"{source}: {part}/{name} is {str(array)[:60]}, not {len(bounds)} "
                f"numbers from 0 to {bounds.tolist()}"
            )


def check_array(
    where: str, array: np.ndarray, shape: tuple[int, ...] | None = None
) -> None:
    """Raise UserError unless an array is float32, finite, and of the given shape."""
    if array.dtype != np.float32:
        raise UserError(f"{where}: {array.dtype}, not float32")
    if shape is not None and array.shape != shape:
        raise UserError(f"{where}: {list(array.shape)} instead of {list(shape)}")
    if not np.isfinite(array).all():
        raise UserError(f"{where}: holds NaN or infinite numbers")


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
