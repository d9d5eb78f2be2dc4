"""Which operators the networks train on: oneDNN's on a CPU where its library is there, else Paddle's own.

oneDNN's are 3 to 10 times as fast: outside of inference graphs, Paddle's convolutions
on a CPU do not use it.
"""

from pathlib import Path
from typing import Literal

import paddle

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ops.onednn.check import check
from realesrgan_paddle.utils.ops.onednn.library import BF16, F32, OneDNNError, library
from realesrgan_paddle.utils.ops.onednn.operators import OneDNNOps
from realesrgan_paddle.utils.ops.plain import PLAIN, Ops

CPUOps = Literal["auto", "onednn", "onednn_bf16", "plain"]


def choose_ops(wanted: CPUOps = "auto") -> tuple[Ops, str]:
    """Return the operators to train with, and a line that says which they are and why.

    oneDNN's are compared with Paddle's own, on small tensors, before they are taken
    (0.1 s).

    Args:
        wanted: "onednn" (float32), "onednn_bf16" (convolutions multiply in bfloat16;
            everything else, the weights too, stays float32), "plain", or "auto": onednn
            where it is there and right, else plain.

    Raises:
        UserError: oneDNN is wanted and is not there, or differs from Paddle.
    """
    if wanted == "plain":
        return PLAIN, "operators: Paddle's own (cpu_ops: plain)"
    ops = OneDNNOps(BF16 if wanted == "onednn_bf16" else F32)
    try:
        difference = _difference(ops)
    except OneDNNError as error:
        if wanted != "auto":
            raise UserError(f"cpu_ops: {wanted}: {error}; use auto or plain") from error
        return PLAIN, f"operators: Paddle's own ({error})"
    dnnl, precision = library(), "bfloat16" if ops.dtype == BF16 else "float32"
    return ops, (
        f"operators: oneDNN {dnnl.version}, {precision} ({dnnl.path}; within {difference:.0e} of Paddle's own,"
        f" gradients too; cpu_ops: {wanted})"
    )


def _difference(ops: OneDNNOps) -> float:
    """Return how far the operators are from Paddle's; OneDNNError if they cannot be used here."""
    if not paddle.get_device().startswith("cpu"):
        raise OneDNNError(f"computing on {paddle.get_device()}")
    if ops.dtype == BF16 and "avx512_bf16" not in Path("/proc/cpuinfo").read_text(
        encoding="utf-8"
    ):
        raise OneDNNError("this CPU does not multiply in bfloat16 (avx512_bf16)")
    return check(ops)
