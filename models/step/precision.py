"""Mixed precision on a GPU: networks in bfloat16 or float16 where that does no harm, weights and losses in float32."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeVar

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.utils.errors import UserError

T = TypeVar("T")
DType = Literal["float32", "bfloat16", "float16"]

FIRST_SCALE = 2.0**16  # these are the numbers of torch's and Paddle's GradScaler
UPDATES_UNTIL_DOUBLED = 2000


class Precision:
    """How networks are run and losses are scaled: in float32, or by Paddle's automatic mixed precision (level O1).

    Small gradients vanish in float16, so the losses are multiplied by as large a power
    of two as no gradient overflows from (Micikevicius et al. 2018, "Mixed precision
    training", section 3.2): it is halved when one does, and doubled after 2000 updates.
    Paddle's GradScaler does so for one optimizer; here an update is both networks' or
    neither's. (And on a CPU, where it is tested, that does nothing.)

    Attributes:
        scale: what losses are multiplied by; 1 in other types than float16.
        remark: what the log says of it.
    """

    def __init__(self, dtype: DType = "float32", remark: str = "") -> None:
        self.dtype = dtype
        self.remark = remark
        self.scale = FIRST_SCALE if dtype == "float16" else 1.0
        self._updates = 0
        """Since the scale was last changed."""

    def __call__(self, network: Callable[[T], Tensor], x: T) -> Tensor:
        """Return what the network makes of x, in float32."""
        if self.dtype == "float32":
            return network(x)
        with paddle.amp.auto_cast(level="O1", dtype=self.dtype):
            y = network(x)
        return y.astype("float32")

    def unscale(self, parameters: Iterable[Tensor]) -> None:
        """Divide the parameters' gradients by the scale."""
        if self.scale == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad = parameter.grad / self.scale

    def adapt(self, gradients_finite: bool) -> bool:
        """Change the scale after an update, or instead of one; return whether it was too large, and is smaller now."""
        if self.dtype != "float16":
            return False
        if gradients_finite:
            self._updates += 1
            if self._updates == UPDATES_UNTIL_DOUBLED:
                self.scale, self._updates = 2 * self.scale, 0
            return False
        lowered = self.scale > 1
        self.scale, self._updates = max(self.scale / 2, 1.0), 0
        return lowered

    def figures(self) -> dict[str, Tensor]:
        """Return what the log reports: the scale of float16."""
        return (
            {"loss_scale": paddle.to_tensor(self.scale)}
            if self.dtype == "float16"
            else {}
        )

    def state(self) -> dict[str, np.ndarray]:
        """Return what it has found out; nothing in other types than float16."""
        return (
            {"scale": np.array([self.scale, self._updates])}
            if self.dtype == "float16"
            else {}
        )

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Put back what `state` returned; of nothing (a state of another type) it takes nothing."""
        if state and self.dtype == "float16":
            self.scale, self._updates = float(state["scale"][0]), int(state["scale"][1])


def choose_precision(use_amp: bool, amp_bf16: bool) -> Precision:
    """Return the precision to train in on this device, with a remark that says what is mixed, or ignored and why.

    Raises:
        UserError: the GPU cannot compute in the type.
    """
    if not use_amp:
        return Precision(
            remark="option amp_bf16 is ignored: use_amp is false" if amp_bf16 else ""
        )
    if paddle.get_device().startswith("cpu"):
        return Precision(
            remark="option use_amp is ignored: it is for GPUs; on a CPU there is cpu_ops: onednn_bf16"
        )
    supported = (
        paddle.amp.is_bfloat16_supported()
        if amp_bf16
        else paddle.amp.is_float16_supported()
    )
    if not supported:
        other = "amp_bf16: false (float16)" if amp_bf16 else "use_amp: false"
        raise UserError(
            f"use_amp: this GPU does not compute in {'bfloat16' if amp_bf16 else 'float16'}; try {other}"
        )
    dtype: DType = "bfloat16" if amp_bf16 else "float16"
    return Precision(
        dtype,
        f"mixed precision: networks in {dtype} (auto_cast, O1), weights and losses in float32",
    )
