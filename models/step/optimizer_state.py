"""An optimizer's state under the network's own parameter names.

Paddle names parameters by counting the layers built in the process (`conv2d_17.w_0`),
so its own state dict fits only a process that built the same layers in the same order.
"""

from collections.abc import Mapping

import numpy as np
from paddle import Tensor, nn
from paddle.optimizer import Optimizer

from realesrgan_paddle.utils.errors import UserError


def get_optimizer_state(
    optimizer: Optimizer, network: nn.Layer
) -> dict[str, np.ndarray]:
    """Return the optimizer's accumulators as "<parameter>/<accumulator>" -> array."""
    names = {parameter.name: key for key, parameter in _learning(network)}
    state = {}
    # Before its first step, Paddle 2.6 leaves out what it was given.
    for name, value in (
        optimizer.state_dict() or optimizer._accumulators_holder
    ).items():
        owner = max(
            (n for n in names if name.startswith(n + "_")), key=len, default=None
        )
        if owner is not None:
            state[f"{names[owner]}/{name[len(owner) + 1 :]}"] = np.array(value)
    return state


def set_optimizer_state(
    optimizer: Optimizer, network: nn.Layer, state: Mapping[str, np.ndarray]
) -> None:
    """Put back what `get_optimizer_state` returned, for the same kind of optimizer over the same parameters.

    What it holds of parameters that do not learn (any more) is left out.

    Raises:
        UserError: the state holds a parameter that the network does not have, or none
            of one that learns.
    """
    names = {key: parameter.name for key, parameter in network.named_parameters()}
    learning = {key for key, _ in _learning(network)}
    theirs = {}
    for key, value in state.items():
        owner, _, accumulator = key.rpartition("/")
        if owner not in names:
            raise UserError(f"optimizer state: the network has no parameter {owner!r}")
        if owner in learning:
            theirs[f"{names[owner]}_{accumulator}"] = value
    missing = learning - {key.rpartition("/")[0] for key in state}
    if state and missing:
        raise UserError(
            f"optimizer state: holds nothing of {min(missing)!r}, which did not learn before; give train.freeze as it "
            "was, or start anew from the network, as path.pretrain_network_g"
        )
    optimizer.set_state_dict(theirs)


def _learning(network: nn.Layer) -> list[tuple[str, Tensor]]:
    return [
        (name, parameter)
        for name, parameter in network.named_parameters()
        if not parameter.stop_gradient
    ]
