"""Whether oneDNN's operators do what Paddle's own do, on this machine, with the library that was found."""

from collections.abc import Callable, Mapping

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.utils.ops.onednn.library import BF16, F32, OneDNNError
from realesrgan_paddle.utils.ops.onednn.operators import OneDNNOps
from realesrgan_paddle.utils.ops.plain import PLAIN, Ops

# Seen: 4e-7 in float32, 3e-3 in bfloat16, whose numbers have 8 bits; there, where the
# input of a leaky ReLU is rounded to the other sign, its gradient is 5 times another's:
# 0.09 was seen among these few numbers. A wrong one is 1 off.
TOLERANCE = {F32: 1e-5, BF16: 0.2}

Operation = Callable[[Ops, dict[str, Tensor]], Tensor]
SHAPES = {
    "x": (2, 16, 6, 10),
    "weight": (8, 16, 3, 3),
    "bias": (8,),
    "strided": (8, 16, 4, 4),
    "slopes": (8,),
    "64 slopes": (64,),
    "picture": (
        1,
        64,
        32,
        32,
    ),  # enough of pixels and channels for `utils.onednn_winograd`
    "square": (64, 64, 3, 3),
    "few": (
        1,
        16,
        32,
        32,
    ),  # of channels, and enough of pixels for `utils.onednn_dense_rows`
    **{f"weight{i}": (16, 16 + 16 * i, 3, 3) for i in range(5)},
    **{f"bias{i}": (16,) for i in range(5)},
}
OPERATIONS: dict[str, Operation] = {
    "conv": lambda ops, t: ops.conv(t["x"], t["weight"], t["bias"]),
    "conv + leaky ReLU": lambda ops, t: ops.conv(
        t["x"], t["weight"], t["bias"], slope=0.2
    ),
    "large conv": lambda ops, t: ops.conv(ops.enter(t["picture"]), t["square"]),
    "add": lambda ops, t: ops.add(t["x"], ops.leaky_relu(t["x"], 0.1)),
    "strided conv": lambda ops, t: ops.conv(t["x"], t["strided"], stride=2),
    "leaky_relu": lambda ops, t: ops.leaky_relu(t["x"], 0.1),
    "conv + PReLU": lambda ops, t: ops.conv_prelu(
        t["x"], t["weight"], t["bias"], t["slopes"]
    ),
    "large conv + PReLU": lambda ops, t: ops.conv_prelu(
        ops.enter(t["picture"]), t["square"], None, t["64 slopes"]
    ),
    "conv_enlarged, nearest": lambda ops, t: ops.conv_enlarged(
        t["x"], t["weight"], t["bias"], slope=0.2
    ),
    "conv_enlarged, bilinear": lambda ops, t: ops.conv_enlarged(
        t["x"], t["weight"], t["bias"], mode="bilinear"
    ),
    "max_pool": lambda ops, t: ops.max_pool(t["x"]),
    "max_pool, 3x3": lambda ops, t: ops.max_pool(ops.enter(t["few"]), 3),
    "dense_block": lambda ops, t: ops.dense_block(
        t["x"], [(t[f"weight{i}"], t[f"bias{i}"]) for i in range(5)]
    ),
    "large dense_block": lambda ops, t: ops.dense_block(
        ops.enter(t["few"]), [(t[f"weight{i}"], t[f"bias{i}"]) for i in range(5)]
    ),
}


def check(ops: OneDNNOps) -> float:
    """Return the greatest relative difference (of norms) from Paddle's operators, of results and gradients.

    Raises:
        OneDNNError: one of the operators differs by more than `TOLERANCE`.
    """
    found = differences(ops)
    worst = max(found, key=lambda name: found[name])
    if not found[worst] <= TOLERANCE[ops.dtype]:
        raise OneDNNError(f"{worst} differs from Paddle's by {found[worst]:.1e}")
    return found[worst]


def differences(
    ops: Ops, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, float]:
    """Return the difference of each operation's result or gradients, whichever is greater: norm over norm.

    `shapes` replaces those of the tensors that it names, (N, C, H, W) for "x".
    """
    random = np.random.default_rng(0)
    arrays = {}
    for name, shape in {**SHAPES, **(shapes or {})}.items():
        fan_in = (
            np.prod(shape[1:])
            if len(shape) == 4 and name not in ("x", "picture", "few")
            else 1
        )  # weights as those of a network
        arrays[name] = random.standard_normal(shape, np.float32) / np.float32(
            np.sqrt(fan_in)
        )
    return {name: _difference(run, ops, arrays) for name, run in OPERATIONS.items()}


def _difference(run: Operation, ops: Ops, arrays: Mapping[str, np.ndarray]) -> float:
    pairs = zip(
        _evaluated(run, ops, arrays), _evaluated(run, PLAIN, arrays), strict=True
    )
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs)


def _evaluated(
    run: Operation, ops: Ops, arrays: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """Return the operation's result, and the gradients of its sum weighted with random numbers."""
    leaves = {
        name: paddle.to_tensor(array, stop_gradient=False)
        for name, array in arrays.items()
    }
    y = ops.leave(run(ops, {**leaves, "x": ops.enter(leaves["x"])}))
    (
        y
        * paddle.to_tensor(
            np.random.default_rng(1).standard_normal(y.shape, np.float32)
        )
    ).sum().backward()
    return [
        y.numpy(),
        *(leaf.grad.numpy() for leaf in leaves.values() if leaf.grad is not None),
    ]
