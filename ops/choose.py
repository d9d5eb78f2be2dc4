"""Choose the operators to train with: oneDNN's on a CPU if they work and are faster.

On processors with AVX2 and later they are 3 to 10 times as fast as Paddle's own, whose
convolutions on a CPU use oneDNN in inference graphs only.
"""

from typing import Literal

import paddle

from realesrgan_paddle.ops.onednn.library import BF16, F32, OneDNNError, library
from realesrgan_paddle.ops.plain import PLAIN, Ops
from realesrgan_paddle.ops.training.operators import OneDNNOps
from realesrgan_paddle.ops.trial import TrialError, check, trial_result
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import has_bf16

CPUOps = Literal["auto", "onednn", "onednn_bf16", "plain"]


def choose_ops(wanted: CPUOps) -> tuple[Ops, str]:
    """Return the operators to train with, and a line for the log with the reason.

    oneDNN's operators are compared with Paddle's own first, on small tensors: for
    "auto" in a process of its own (see `trial`), else in this one (0.1 s).

    Args:
        wanted: "onednn" (float32), "onednn_bf16" (convolutions multiply in bfloat16;
            everything else, including the weights, is float32), "plain" (Paddle's own),
            or "auto" (plain where it is faster or oneDNN does not work, else onednn_bf16
            where the CPU multiplies in bfloat16, else onednn).

    Raises:
        UserError: oneDNN is wanted and cannot be used, or differs from Paddle.
    """
    if wanted == "plain":
        return PLAIN, "operators: Paddle's own (cpu_ops: plain)"
    if wanted == "auto":
        return _choose_faster()

    ops = OneDNNOps(BF16 if wanted == "onednn_bf16" else F32)
    precision = "bfloat16" if ops.dtype == BF16 else "float32"
    try:
        difference = _checked_difference(ops)
        return ops, _describe(precision, difference, f"cpu_ops: {wanted}")
    except OneDNNError as error:
        raise UserError(f"cpu_ops: {wanted}: {error}; use auto or plain") from error


def in_float32(ops: Ops) -> Ops:
    """Return operators that compute in float32, of the same kind."""
    return OneDNNOps(F32) if isinstance(ops, OneDNNOps) else ops


def float32_ops() -> Ops:
    """Return the faster operators here that compute in float32, for measuring."""
    ops, _ = _choose_faster()
    return PLAIN if ops is PLAIN else OneDNNOps(F32)


def _choose_faster() -> tuple[Ops, str]:
    """Return the faster operators that work on this device, and why; see `trial`.

    bfloat16 goes by what the CPU has, not by a time: a run is resumed as it began.
    """
    device = paddle.get_device()
    if not device.startswith("cpu"):
        return PLAIN, f"operators: Paddle's own (computing on {device})"
    try:
        dnnl = library()
        trial = trial_result()
    except (OneDNNError, TrialError) as error:
        return PLAIN, f"operators: Paddle's own ({error}; cpu_ops: auto)"

    onednn = f"{trial.onednn_ms:.0f} ms"
    plain = f"{trial.plain_ms:.0f} ms"
    if trial.plain_ms < trial.onednn_ms:
        return PLAIN, (
            f"operators: Paddle's own (on one thread a small step takes {plain}, with oneDNN"
            f" {dnnl.version}'s {onednn}; cpu_ops: auto)"
        )
    times = f"on one thread a small step takes {onednn}, with Paddle's own {plain}; cpu_ops: auto"
    if trial.bf16_difference is not None:
        times = f"in float32 {times}"
        return OneDNNOps(BF16), _describe("bfloat16", trial.bf16_difference, times)
    return OneDNNOps(F32), _describe("float32", trial.difference, times)


def _describe(precision: str, difference: float, reason: str) -> str:
    dnnl = library()
    return (
        f"operators: oneDNN {dnnl.version}, {precision} ({dnnl.path}; within"
        f" {difference:.0e} of Paddle's own, gradients too; {reason})"
    )


def _checked_difference(ops: OneDNNOps) -> float:
    """Return the difference from Paddle's operators; OneDNNError if unusable here."""
    device = paddle.get_device()
    if not device.startswith("cpu"):
        raise OneDNNError(f"computing on {device}")

    if ops.dtype == BF16 and not has_bf16():
        raise OneDNNError("this CPU does not multiply in bfloat16 (avx512_bf16)")
    return check(ops)
