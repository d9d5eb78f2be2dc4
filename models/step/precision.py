"""Mixed precision on a GPU: networks in 16 bits, weights and losses in float32."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeVar

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.utils.errors import UserError

T = TypeVar("T")
DType = Literal["float32", "bfloat16", "float16"]

FIRST_SCALE = 2.0**16
"""Initial loss scale of float16, that of torch's and Paddle's GradScaler."""
UPDATES_UNTIL_DOUBLED = 2000
"""As torch's and Paddle's GradScaler."""

STATE_BOUNDS = {"scale": (2.0**127, float(UPDATES_UNTIL_DOUBLED))}
"""The largest values in a state: float32 holds no larger power of two."""


class Precision:
    """Runs networks in float32 or by Paddle's automatic mixed precision (level O1).

    Small gradients vanish in float16, so losses are multiplied by a power of two, as
    large as gradients allow without overflow: it is halved when one overflows and
    doubled after 2000 updates (Micikevicius et al. 2018, "Mixed precision training",
    section 3.2). Paddle's GradScaler does that for one optimizer, and on a CPU, where
    the tests run, it does nothing; here one update is that of both networks.

    Attributes:
        scale: the factor on losses; 1 for other types than float16.
        remark: a line for the log, or an empty string.
    """

    def __init__(self, dtype: DType = "float32", remark: str = "") -> None:
        self.dtype = dtype
        self.remark = remark
        self.scale = FIRST_SCALE if dtype == "float16" else 1.0
        self._updates_at_scale = 0

    def __call__(self, network: Callable[[T], Tensor], x: T) -> Tensor:
        """Return the network's output for `x`, in float32."""
        if self.dtype == "float32":
            return network(x)
        with paddle.amp.auto_cast(level="O1", dtype=self.dtype):
            y = network(x)
        return y.astype("float32")

    def unscale(self, parameters: Iterable[Tensor]) -> None:
        """Divide the parameters' gradients by the loss scale."""
        if self.scale == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad = parameter.grad / self.scale

    def adapt(self, gradients_finite: bool) -> bool:
        """Adapt the loss scale to a backward pass; return whether it was too large."""
        if self.dtype != "float16":
            return False

        if gradients_finite:
            self._updates_at_scale += 1
            if self._updates_at_scale == UPDATES_UNTIL_DOUBLED:
                self.scale *= 2
                self._updates_at_scale = 0
            return False

        can_be_lowered = self.scale > 1
        self.scale = max(self.scale / 2, 1.0)
        self._updates_at_scale = 0
        return can_be_lowered

    def reported(self) -> dict[str, Tensor]:
        """Return the values that the log reports: the loss scale of float16."""
        if self.dtype != "float16":
            return {}
        return {"loss_scale": paddle.to_tensor(self.scale)}

    def state(self) -> dict[str, np.ndarray]:
        """Return the loss scale of float16 and the updates made with it."""
        if self.dtype != "float16":
            return {}
        return {"scale": np.array([self.scale, self._updates_at_scale])}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state()` returned; that of another type is ignored."""
        if state and self.dtype == "float16":
            scale, updates = state["scale"]
            self.scale = float(scale)
            self._updates_at_scale = int(updates)


def choose_precision(use_amp: bool, amp_bf16: bool) -> Precision:
    """Return the precision to train in on this device.

    Its remark says what is mixed, or which option is ignored and why.

    Raises:
        UserError: the GPU cannot compute in the type.
    """
    if not use_amp:
        ignored = "option amp_bf16 is ignored: use_amp is false"
        return Precision(remark=ignored if amp_bf16 else "")
    if paddle.get_device().startswith("cpu"):
        return Precision(
            remark="option use_amp is ignored: it is for GPUs; on a CPU there is "
            "cpu_ops: onednn_bf16"
        )

    dtype: DType = "bfloat16" if amp_bf16 else "float16"
    if amp_bf16:
        supported = paddle.amp.is_bfloat16_supported()
        instead = "amp_bf16: false (float16)"
    else:
        supported = paddle.amp.is_float16_supported()
        instead = "use_amp: false"
    if not supported:
        raise UserError(f"use_amp: this GPU does not compute in {dtype}; try {instead}")

    return Precision(
        dtype,
        f"mixed precision: networks in {dtype} (auto_cast, O1), weights and losses in "
        "float32",
    )
