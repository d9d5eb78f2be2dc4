"""Try oneDNN's operators in a process of their own: do they work, and what do they gain?

A process of its own, because what fails in C cannot be caught: on a processor or with a
library that nobody has tried, it may end the process. This module starts it, and is
what it runs.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING

from realesrgan_paddle.utils.machine.cpu import has_bf16, start_paddle

if TYPE_CHECKING:
    from paddle import Tensor

    from realesrgan_paddle.ops.plain import Ops

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

    from realesrgan_paddle.ops.check import check
    from realesrgan_paddle.ops.onednn.library import BF16, OneDNNError
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

    # In turn, so that other load disturbs both.
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


if __name__ == "__main__":
    main()
