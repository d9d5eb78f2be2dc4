"""Try oneDNN's operators in a process of their own: do they work, and what do they gain?

A process of its own, because what fails in C cannot be caught: on a processor or with a
library that nobody has tried, it may end the process. This module starts it, and is
what it runs: a comparison with Paddle's own operators, on small tensors, and a race.
Paddle is imported in functions: a trial is started before the command imports it.
"""

import atexit
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from realesrgan_paddle.ops.onednn.library import BF16, F32, OneDNNError
from realesrgan_paddle.utils.machine.devices import (
    compute_on_one_thread,
    has_bf16,
    start_paddle,
)

if TYPE_CHECKING:
    from paddle import Tensor

    from realesrgan_paddle.ops.plain import Ops
    from realesrgan_paddle.ops.training.operators import OneDNNOps

COMMAND = (sys.executable, "-m", "realesrgan_paddle.ops.trial")
TIMEOUT_S = 120
"""The trial takes about 3 s; busy machines may need twenty times as much."""
ROUNDS = 4
"""Steps that are timed of each; the fastest counts, which other load disturbs least."""
CHANNELS, SIDE = 64, 32
"""Of the features in these steps: the channels of Real-ESRGAN's networks."""


class TrialError(Exception):
    """The operators do not work here; the message says why."""


@dataclass(frozen=True)
class Trial:
    """What was found."""

    difference: float
    """Largest relative difference from Paddle's operators; see `check`."""
    bf16_difference: float | None
    """The same in bfloat16; None where that cannot be used."""
    onednn_ms: float
    """Time of a small training step in float32 [ms]."""
    plain_ms: float
    """The same with Paddle's operators."""


@cache
def start_trial() -> "subprocess.Popen[str]":
    """Start the trial, unless it was started before; it takes about 3 s."""
    # The modules that this process would import, wherever it was started.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    atexit.register(process.kill)
    return process


@cache
def trial_result() -> Trial:
    """Wait for the trial and return what it found.

    Raises:
        TrialError: it failed, crashed or did not end.
    """
    process = start_trial()
    try:
        output, errors = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise TrialError(f"oneDNN's did not end within {TIMEOUT_S} s") from error

    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise TrialError(f"oneDNN's ended a trial with {name}")
    if process.returncode:
        *_, reason = [f"exit code {process.returncode}", *errors.strip().splitlines()]
        raise TrialError(f"oneDNN's failed: {reason}")
    return Trial(**json.loads(output))


def main() -> None:
    """Try the operators in this process and write a `Trial` as JSON."""
    start_paddle()
    import paddle

    from realesrgan_paddle.ops.plain import PLAIN
    from realesrgan_paddle.ops.training.operators import OneDNNOps

    paddle.set_device("cpu")
    onednn = OneDNNOps()
    try:
        difference = check(onednn)
    except OneDNNError as error:
        sys.exit(str(error))
    bf16_difference = None
    if has_bf16():
        with suppress(OneDNNError):
            bf16_difference = check(OneDNNOps(BF16))

    # In turn, so that other load disturbs both, and on one thread: of several one would
    # be held up on busy cores in each of the many small operations.
    compute_on_one_thread()
    onednn_ms, plain_ms = [], []
    for _ in range(1 + ROUNDS):
        onednn_ms.append(_time_step(onednn))
        plain_ms.append(_time_step(PLAIN))
    times = min(onednn_ms[1:]), min(plain_ms[1:])
    trial = Trial(difference, bf16_difference, *times)
    sys.stdout.write(json.dumps(asdict(trial)))


def _time_step(ops: "Ops") -> float:
    """Return the time of a forward and a backward pass of what generators are made of.

    That is a convolution with PReLU, a dense block and a pixel-shuffle, in ms.
    """
    growth = CHANNELS // 2
    inputs = [CHANNELS + i * growth for i in range(5)]
    outputs = [growth] * 4 + [CHANNELS]
    weight, *dense = [
        _random([out_ch, in_ch, 3, 3])
        for in_ch, out_ch in zip([CHANNELS, *inputs], [CHANNELS, *outputs], strict=True)
    ]
    slopes = _random([CHANNELS])
    convolutions = [(each, _random(each.shape[:1])) for each in dense]
    features = _random([1, CHANNELS, SIDE, SIDE])

    start = time.perf_counter()
    x = ops.enter(features)
    x = ops.conv_prelu(x, weight, None, slopes)
    x = ops.dense_block(x, convolutions)
    x = ops.leave(x)
    x.sum().backward()
    return 1000 * (time.perf_counter() - start)


def _random(shape: list[int]) -> "Tensor":
    import paddle

    tensor = 0.01 * paddle.randn(shape)
    tensor.stop_gradient = False
    return tensor


TOLERANCE = {F32: 1e-5, BF16: 0.2}
"""Largest relative difference allowed; a wrong operator differs by 1.

Measured: 4e-7 in float32 and 3e-3 in bfloat16, which has 8 significant bits. Where
rounding changes the sign of a leaky ReLU's input, its gradient changes by a factor of
5: that gave 0.09 on these few numbers.
"""

Operation = Callable[["Ops", "dict[str, Tensor]"], "Tensor"]

SHAPES = {
    "x": (2, 16, 6, 10),
    "weight": (8, 16, 3, 3),
    "bias": (8,),
    "strided": (8, 16, 4, 4),
    "slopes": (8,),
    "large x": (1, 16, 32, 32),
    **{f"weight{i}": (16, 16 + 16 * i, 3, 3) for i in range(5)},
    **{f"bias{i}": (16,) for i in range(5)},
}
"""Tensors that the operations take; features are (N, C, H, W)."""

FEATURES = ("x", "large x")


def _dense_block(ops: "Ops", x: "Tensor", t: "Mapping[str, Tensor]") -> "Tensor":
    convolutions = []
    for i in range(5):
        weight = t[f"weight{i}"]
        bias = t[f"bias{i}"]
        convolutions.append((weight, bias))
    return ops.dense_block(x, convolutions)


OPERATIONS: dict[str, Operation] = {
    "conv": lambda ops, t: ops.conv(t["x"], t["weight"], t["bias"]),
    "conv + leaky ReLU": lambda ops, t: ops.conv(
        t["x"], t["weight"], t["bias"], slope=0.2
    ),
    "add": lambda ops, t: ops.add(t["x"], ops.leaky_relu(t["x"], 0.1)),
    "strided conv": lambda ops, t: ops.conv(t["x"], t["strided"], stride=2),
    "leaky_relu": lambda ops, t: ops.leaky_relu(t["x"], 0.1),
    "conv + PReLU": lambda ops, t: ops.conv_prelu(
        t["x"], t["weight"], t["bias"], t["slopes"]
    ),
    "conv_upsampled, nearest": lambda ops, t: ops.conv_upsampled(
        t["x"], t["weight"], t["bias"], slope=0.2
    ),
    "conv_upsampled, bilinear": lambda ops, t: ops.conv_upsampled(
        t["x"], t["weight"], t["bias"], mode="bilinear"
    ),
    "max_pool": lambda ops, t: ops.max_pool(t["x"]),
    "max_pool, 3x3": lambda ops, t: ops.max_pool(ops.enter(t["large x"]), 3),
    "dense_block": lambda ops, t: _dense_block(ops, t["x"], t),
}
"""What is compared; "x" has been converted to the layout of `ops`."""


def check(ops: "OneDNNOps") -> float:
    """Return the largest relative difference from Paddle's operators.

    Results and gradients are compared, by norms.

    Raises:
        OneDNNError: an operator fails, or differs by more than `TOLERANCE`.
    """
    try:
        found = differences(ops)
    except OSError as error:
        # What Paddle makes of an exception in a backward pass, with a stack trace.
        cause = re.search(r"\w+: .+", str(error))
        reason = cause[0] if cause else "an operator"
        raise OneDNNError(f"{reason} (in a backward pass)") from error
    worst = max(found, key=lambda name: found[name])
    difference = found[worst]

    # written so that NaN is refused too
    if not difference <= TOLERANCE[ops.dtype]:
        raise OneDNNError(f"{worst} differs from Paddle's by {difference:.1e}")
    return difference


def differences(
    ops: "Ops", shapes: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, float]:
    """Return each operation's relative difference, of its result or a gradient.

    `shapes` replaces some of `SHAPES`.
    """
    random = np.random.default_rng(0)
    all_shapes = {**SHAPES, **(shapes or {})}
    arrays = {}
    for name, shape in all_shapes.items():
        # Weights are scaled as those of a network are.
        is_weight = len(shape) == 4 and name not in FEATURES
        fan_in = np.prod(shape[1:]) if is_weight else 1
        scale = np.float32(np.sqrt(fan_in))
        arrays[name] = random.standard_normal(shape, np.float32) / scale

    return {name: _difference(run, ops, arrays) for name, run in OPERATIONS.items()}


def _difference(run: Operation, ops: "Ops", arrays: Mapping[str, np.ndarray]) -> float:
    from realesrgan_paddle.ops.plain import PLAIN

    actual = _evaluate(run, ops, arrays)
    expected = _evaluate(run, PLAIN, arrays)

    found = []
    for a, b in zip(actual, expected, strict=True):
        distance = np.linalg.norm(a - b)
        length = np.linalg.norm(b)
        found.append(float(distance / length))
    return max(found)


def _evaluate(
    run: Operation, ops: "Ops", arrays: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """Return the operation's result, and its gradients for a random loss."""
    import paddle

    leaves = {
        name: paddle.to_tensor(array, stop_gradient=False)
        for name, array in arrays.items()
    }
    tensors = {**leaves, "x": ops.enter(leaves["x"])}
    y = ops.leave(run(ops, tensors))

    random = np.random.default_rng(1)
    loss_weights = random.standard_normal(y.shape, np.float32)
    loss = (y * paddle.to_tensor(loss_weights)).sum()
    loss.backward()

    gradients = [leaf.grad for leaf in leaves.values()]
    return [
        y.numpy(),
        *(gradient.numpy() for gradient in gradients if gradient is not None),
    ]


if __name__ == "__main__":
    main()
