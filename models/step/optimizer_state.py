"""An optimizer's state under the network's own parameter names.

Paddle names parameters by counting the layers built in the process (`conv2d_17.w_0`),
so its own state dict fits only a process that built the same layers in the same order.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from paddle import nn
from paddle.optimizer import Optimizer

from realesrgan_paddle.models.step.freeze import named_trainable_parameters
from realesrgan_paddle.utils.errors import UserError

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
            state[f"{names[owner]}/{accumulator}"] = np.array(value)
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


def _owner(key: str, names: Iterable[str]) -> str | None:
    """Return Paddle's name of the parameter that an accumulator belongs to, if any.

    One name may begin with another: the longest is right.
    """
    owners = []
    for name in names:
        if key.startswith(name + "_"):
            owners.append(name)
    return max(owners, key=len, default=None)
