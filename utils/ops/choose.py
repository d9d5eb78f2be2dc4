"""Choose the operators to train with: oneDNN's on a CPU if its library works.

They are 3 to 10 times as fast as Paddle's own, whose convolutions on a CPU use oneDNN
in inference graphs only.
"""

from pathlib import Path
from typing import Literal

import paddle

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ops.check import check
from realesrgan_paddle.utils.ops.onednn.library import BF16, F32, OneDNNError, library
from realesrgan_paddle.utils.ops.onednn.operators import OneDNNOps
from realesrgan_paddle.utils.ops.plain import PLAIN, Ops

CPUOps = Literal["auto", "onednn", "onednn_bf16", "plain"]


def choose_ops(wanted: CPUOps = "auto") -> tuple[Ops, str]:
    """Return the operators to train with, and a line for the log with the reason.

    oneDNN's operators are compared with Paddle's own first, on small tensors (0.1 s).

    Args:
        wanted: "onednn" (float32), "onednn_bf16" (convolutions multiply in bfloat16;
            everything else, including the weights, is float32), "plain" (Paddle's own),
            or "auto" (onednn if it works here, else plain).

    Raises:
        UserError: oneDNN is wanted and cannot be used, or differs from Paddle.
    """
    if wanted == "plain":
        return PLAIN, "operators: Paddle's own (cpu_ops: plain)"

    ops = OneDNNOps(BF16 if wanted == "onednn_bf16" else F32)
    try:
        difference = _checked_difference(ops)
    except OneDNNError as error:
        if wanted != "auto":
            raise UserError(f"cpu_ops: {wanted}: {error}; use auto or plain") from error
        return PLAIN, f"operators: Paddle's own ({error})"

    dnnl = library()
    precision = "bfloat16" if ops.dtype == BF16 else "float32"
    return ops, (
        f"operators: oneDNN {dnnl.version}, {precision} ({dnnl.path}; within"
        f" {difference:.0e} of Paddle's own, gradients too; cpu_ops: {wanted})"
    )


def _checked_difference(ops: OneDNNOps) -> float:
    """Return the difference from Paddle's operators; OneDNNError if unusable here."""
    device = paddle.get_device()
    if not device.startswith("cpu"):
        raise OneDNNError(f"computing on {device}")

    if ops.dtype == BF16:
        cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if "avx512_bf16" not in cpu:
            raise OneDNNError("this CPU does not multiply in bfloat16 (avx512_bf16)")

    return check(ops)
