"""Paddle's `auto_cast` as on a GPU, for tests on a CPU.

On a CPU it does nothing: it refuses to start, and operators leave tensors in the CPU's
memory as they are. Here it starts, so that its level, its lists of operators and its
nesting are its own; and `OPERATORS` cast as Paddle's do for a GPU (`GetAmpDestDtype` in
paddle/fluid/eager/amp_auto_cast.h): those of the white list compute in 16 bits, those of
the black list in float32, others in 16 bits if they are given nothing else.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import paddle
from paddle import Tensor

OPERATORS = ("matmul", "mv", "dot", "p_norm", "maximum")
"""Those that spectral norm is made of, beside the division.

Convolutions are left in float32: Paddle has none in bfloat16 on a CPU.
"""
FLOATS = (paddle.float32, paddle.bfloat16)

_module = importlib.import_module("paddle.amp.auto_cast")  # the function hides it
_current_tracer = _module._dygraph_tracer


class _GPU:
    def is_gpu_place(self) -> bool:
        return True

    def is_xpu_place(self) -> bool:
        return False

    def is_custom_place(self) -> bool:
        return False


class _TracerOnGPU:
    """Paddle's tracer, which holds the state of `auto_cast`, but on a GPU."""

    _expected_place = _GPU()

    def __getattr__(self, name: str) -> Any:
        return getattr(_current_tracer(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_current_tracer(), name, value)


@contextmanager
def gpu_autocast() -> Iterator[None]:
    """Make `paddle.amp.auto_cast` in bfloat16 work on this CPU, for `OPERATORS`."""
    casting = {name: _casting(name, getattr(paddle._C_ops, name)) for name in OPERATORS}
    division = _casting("divide", Tensor.__truediv__)
    with (
        patch.object(_module, "_dygraph_tracer", _TracerOnGPU),
        patch.object(_module, "_is_gpu_bfloat16_supported", lambda: True),
        patch.multiple(paddle._C_ops, **casting),
        patch.object(Tensor, "__truediv__", division),
    ):
        yield


def _casting(name: str, compute: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the operator `compute` with the casts that `auto_cast` asks for."""

    def operator(*args: Any, **options: Any) -> Tensor:
        tracer = _current_tracer()
        if tracer._amp_level.name == "O0":
            return compute(*args, **options)

        inputs = [arg for arg in args if isinstance(arg, Tensor)]
        white_list, black_list = tracer._get_amp_op_list()
        narrow = all(each.dtype == paddle.bfloat16 for each in inputs)
        if name in white_list:
            narrow = True
        elif name in black_list:
            narrow = False
        if not narrow:
            return compute(*(_cast(arg, paddle.float32) for arg in args), **options)

        # A GPU multiplies in bfloat16 and sums in float32, too.
        rounded = [_cast(arg, paddle.bfloat16) for arg in args]
        result = compute(*(_cast(arg, paddle.float32) for arg in rounded), **options)
        return result.astype(paddle.bfloat16)

    return operator


def _cast(arg: Any, dtype: Any) -> Any:
    if isinstance(arg, Tensor) and arg.dtype in FLOATS:
        return arg.astype(dtype)
    return arg
