"""oneDNN's C API, through ctypes, from the library that is inside the Paddle wheel.

Paddle's own convolutions on a CPU do not use oneDNN outside of inference graphs. Its
wheel for Linux carries the library all the same (`paddle/libs/libdnnl.so.3`) and has it
loaded, with its own OpenMP; no compiler, header or package is needed to call it. Names,
numbers and signatures here are those of oneDNN 3's `dnnl.h` and `dnnl_types.h`, which
stay the same throughout version 3.

One thread at a time may compute: a primitive's memory objects are pointed at the
tensors of each call.
"""

import ctypes
import sys
from collections.abc import Mapping, Sequence
from ctypes import byref, c_char_p, c_float, c_int, c_int32, c_int64, c_size_t, c_void_p
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import Tensor

LIBRARY = "libdnnl.so.3"

# dnnl_data_type_t
BF16, F32 = 2, 3
BYTES = {BF16: 2, F32: 4}
# dnnl_prop_kind_t, dnnl_alg_kind_t
FORWARD_TRAINING = 64
CONVOLUTION_DIRECT = 1
ELTWISE_RELU, ELTWISE_LINEAR, ELTWISE_RELU_USE_DST = 0x20, 0x26, 0x100
POOLING_MAX, POOLING_AVERAGE = (
    0x1FF,
    0x3FF,
)  # the mean of the pixels that are there: padding does not count
BINARY_ADD, BINARY_SUB = 0x1FFF0, 0x1FFF5
DECONVOLUTION_DIRECT = 0xA
# Arguments of an execution: DNNL_ARG_...
SRC, SRC_1, DST, WEIGHTS, BIAS, WORKSPACE = 1, 2, 17, 33, 41, 64
DIFF_SRC, DIFF_DST, DIFF_WEIGHTS, DIFF_BIAS = 129, 145, 161, 169
# dnnl_query_t: the layout that a primitive chose for an argument
CHOSEN = {
    SRC: 129,
    DIFF_SRC: 130,
    WEIGHTS: 131,
    DIFF_WEIGHTS: 132,
    DST: 133,
    DIFF_DST: 134,
    WORKSPACE: 135,
}
_IMPLEMENTATION = 8

_CPU = 1  # dnnl_engine_kind_t
_IN_ORDER = 1  # dnnl_stream_flags_t
_FORMAT_ANY, _FORMAT_NCHW16C = 1, 78  # dnnl_format_tag_t
_MAX_DIMENSIONS = 12
NULL = c_void_p(0)


class OneDNNError(Exception):
    """oneDNN is not there, or it refused a call; the message says why."""


class _Version(ctypes.Structure):
    _fields_ = (
        ("major", c_int),
        ("minor", c_int),
        ("patch", c_int),
    )  # the head of dnnl_version_t


class _Argument(ctypes.Structure):
    _fields_ = (("which", c_int), ("memory", c_void_p))  # dnnl_exec_arg_t


class Library:
    """The library at `path`, an engine for the CPU and a stream to run on.

    Attributes:
        version: such as "3.6.2".
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise OneDNNError(f"{path} does not exist")
        try:
            self._functions = ctypes.CDLL(str(path))
            self.version = self._read_version()
        except (OSError, AttributeError) as error:
            raise OneDNNError(f"{path} cannot be used: {error}") from error
        if not self.version.startswith("3."):
            raise OneDNNError(f"{path} is oneDNN {self.version}, and 3 is expected")
        self.path = path
        self._declare()
        self.engine = self.create("dnnl_engine_create", _CPU, c_size_t(0))
        self.stream = self.create("dnnl_stream_create", self.engine, _IN_ORDER)

    def _read_version(self) -> str:
        self._functions.dnnl_version.restype = ctypes.POINTER(_Version)
        version = self._functions.dnnl_version().contents
        return f"{version.major}.{version.minor}.{version.patch}"

    def _declare(self) -> None:
        """Declare what ctypes cannot guess: results that are no int, and arguments that are floats."""
        functions = self._functions
        functions.dnnl_memory_desc_get_size.restype = c_size_t
        functions.dnnl_primitive_desc_query_md.restype = c_void_p
        self.set_address, self.execute = (
            functions.dnnl_memory_set_data_handle,
            functions.dnnl_primitive_execute,
        )
        self.set_address.argtypes = [c_void_p, c_void_p]
        self.execute.argtypes = [c_void_p, c_void_p, c_int, c_void_p]
        functions.dnnl_post_ops_append_eltwise.argtypes = [
            c_void_p,
            c_int,
            c_float,
            c_float,
        ]
        functions.dnnl_post_ops_append_binary.argtypes = [c_void_p, c_int, c_void_p]
        functions.dnnl_post_ops_append_sum.argtypes = [
            c_void_p,
            c_float,
            c_int32,
            c_int,
        ]
        handle, alpha, beta = c_void_p, c_float, c_float
        functions.dnnl_eltwise_forward_primitive_desc_create.argtypes = [
            *[handle] * 2, c_int, c_int, *[handle] * 2, alpha, beta, handle
        ]  # fmt: skip
        functions.dnnl_eltwise_backward_primitive_desc_create.argtypes = [
            *[handle] * 2, c_int, *[handle] * 3, alpha, beta, *[handle] * 2
        ]  # fmt: skip

    def call(self, name: str, *args: Any) -> None:
        """Call the function `name`; OneDNNError unless its status is dnnl_success."""
        status = getattr(self._functions, name)(*args)
        if status:
            raise OneDNNError(f"oneDNN {self.version}: {name} returns status {status}")

    def ask(self, name: str, *args: Any) -> Any:
        """Return the result of the function `name`, which has no status."""
        return getattr(self._functions, name)(*args)

    def create(self, name: str, *args: Any) -> c_void_p:
        """Return the handle that the function `name` makes."""
        handle = c_void_p()
        self.call(name, byref(handle), *args)
        return handle


@cache
def library() -> Library:
    """Return the library of the installed Paddle; OneDNNError where there is none that can be used."""
    if sys.platform != "linux":
        raise OneDNNError(f"Paddle's wheel for {sys.platform} has no {LIBRARY}")
    return Library(Path(paddle.__file__).parent / "libs" / LIBRARY)


def sizes(values: Sequence[int]) -> Any:
    """Return a `dnnl_dims_t`."""
    return (c_int64 * _MAX_DIMENSIONS)(*values)


def layout(dims: Sequence[int], strides: Sequence[int], dtype: int = F32) -> c_void_p:
    """Return the description of a memory: its logical sizes, and how many elements apart neighbours lie."""
    return library().create(
        "dnnl_memory_desc_create_with_strides",
        len(dims),
        sizes(dims),
        dtype,
        sizes(strides),
    )


def any_layout(dims: Sequence[int], dtype: int = F32) -> c_void_p:
    """Return the description of a memory whose layout the primitive may choose."""
    return library().create(
        "dnnl_memory_desc_create_with_tag", len(dims), sizes(dims), dtype, _FORMAT_ANY
    )


def size_of(description: c_void_p) -> int:
    """Return how many bytes a memory takes."""
    return library().ask("dnnl_memory_desc_get_size", description)


def implementation(description: c_void_p) -> str:
    """Return which of oneDNN's implementations a primitive's description stands for, such as "jit:avx512_core"."""
    name = c_char_p()
    library().call(
        "dnnl_primitive_desc_query", description, _IMPLEMENTATION, 0, byref(name)
    )
    return (name.value or b"").decode()


class Primitive:
    """One operation on memories of fixed layouts, called with the addresses of those memories.

    Args:
        description: the handle of a primitive's description
            (`dnnl_..._primitive_desc_create`).
        memories: layout of each argument; None means the one that the primitive chose.
    """

    def __init__(
        self, description: c_void_p, memories: Mapping[int, c_void_p | None]
    ) -> None:
        self._library = dnnl = library()
        self.description = description
        self._handle = dnnl.create("dnnl_primitive_create", description)
        self.layouts = {
            which: memory or self._chosen(which) for which, memory in memories.items()
        }
        self._memories = {
            which: dnnl.create("dnnl_memory_create", memory, dnnl.engine, NULL)
            for which, memory in self.layouts.items()
        }
        arguments = [
            _Argument(which, memory) for which, memory in self._memories.items()
        ]
        self._arguments = (_Argument * len(arguments))(*arguments)
        self._execution = (
            self._handle,
            dnnl.stream,
            len(self._arguments),
            self._arguments,
        )
        self.bytes = {which: size_of(memory) for which, memory in self.layouts.items()}
        """What each argument's memory takes."""

    def __call__(self, addresses: Mapping[int, int]) -> None:
        """Compute; `addresses` says where each argument's memory begins."""
        dnnl, memories = self._library, self._memories
        for which, address in addresses.items():
            dnnl.set_address(memories[which], address)
        status = dnnl.execute(
            *self._execution
        )  # returns when it has been computed: dnnl_stream_wait is for GPUs
        if status:
            raise OneDNNError(
                f"oneDNN {dnnl.version}: dnnl_primitive_execute returns status {status}"
            )

    def __del__(self) -> None:
        """Give back what oneDNN holds for it (the layouts, a few hundred bytes each, are shared and stay)."""
        dnnl = library()
        for memory in self._memories.values():
            dnnl.call("dnnl_memory_destroy", memory)
        dnnl.call("dnnl_primitive_destroy", self._handle)
        dnnl.call("dnnl_primitive_desc_destroy", self.description)

    def _chosen(self, which: int) -> c_void_p:
        return c_void_p(
            library().ask(
                "dnnl_primitive_desc_query_md", self.description, CHOSEN[which], 0
            )
        )


def reorder(source: c_void_p, target: c_void_p, *, add: bool = False) -> Primitive:
    """Return the primitive that copies SRC to DST, or adds it to DST, from one layout (and data type) to another."""
    dnnl, attributes = library(), NULL
    if add:
        steps, attributes = (
            dnnl.create("dnnl_post_ops_create"),
            dnnl.create("dnnl_primitive_attr_create"),
        )
        dnnl.call("dnnl_post_ops_append_sum", steps, 1.0, 0, 0)
        dnnl.call("dnnl_primitive_attr_set_post_ops", attributes, steps)
    description = dnnl.create(
        "dnnl_reorder_primitive_desc_create",
        source,
        dnnl.engine,
        target,
        dnnl.engine,
        attributes,
    )
    return Primitive(description, {SRC: source, DST: target})


def attributes_after(
    activations: Sequence[tuple[int, float]],
    binaries: Sequence[tuple[int, c_void_p]] = (),
) -> c_void_p:
    """Return the attributes of a primitive after which come operations with other memories, then activations.

    Args:
        activations: kind (ELTWISE_...) and its alpha.
        binaries: kind (BINARY_...) and the layout of the other memory; `operand` is its
            argument.
    """
    dnnl = library()
    steps, attributes = (
        dnnl.create("dnnl_post_ops_create"),
        dnnl.create("dnnl_primitive_attr_create"),
    )
    for kind, memory in binaries:
        dnnl.call("dnnl_post_ops_append_binary", steps, kind, memory)
    for kind, alpha in activations:
        dnnl.call("dnnl_post_ops_append_eltwise", steps, kind, alpha, 0.0)
    dnnl.call("dnnl_primitive_attr_set_post_ops", attributes, steps)
    dnnl.call("dnnl_post_ops_destroy", steps)
    return attributes


def operand(i: int) -> int:
    """Return the argument of the other memory of the i-th operation that comes after a primitive."""
    return 32768 * (i + 1) | SRC_1  # DNNL_ARG_ATTR_MULTIPLE_POST_OP


def binary(kind: int, elements: int, scale: float = 1.0) -> Primitive:
    """Return the primitive that makes DST of SRC and SRC_1, float32 in a row, times `scale`; in place if DST is one."""
    dnnl, x = library(), layout((elements,), (1,))
    after = NULL if scale == 1 else attributes_after([(ELTWISE_LINEAR, scale)])
    description = dnnl.create(
        "dnnl_binary_primitive_desc_create", dnnl.engine, kind, x, x, x, after
    )
    return Primitive(description, {SRC: x, SRC_1: x, DST: x})


def nhwc(shape: Sequence[int], dtype: int = F32) -> c_void_p:
    """Return the layout of a picture tensor of logical shape (N, C, H, W) that lies in memory as (N, H, W, C)."""
    _, c, h, w = shape
    return layout(shape, (h * w * c, 1, w * c, c), dtype)


def nchw(shape: Sequence[int], dtype: int = F32) -> c_void_p:
    """Return the layout of a tensor of four dimensions that lies in memory in their order."""
    _, c, h, w = shape
    return layout(shape, (c * h * w, h * w, w, 1), dtype)


def blocked(shape: Sequence[int], dtype: int = F32) -> c_void_p:
    """Return the layout of a tensor of logical shape (N, C, H, W) that lies in memory as (N, C / 16, H, W, 16)."""
    return library().create(
        "dnnl_memory_desc_create_with_tag", 4, sizes(shape), dtype, _FORMAT_NCHW16C
    )


def threads() -> int:
    """Return on how many threads a primitive computes: those of the OpenMP that the library has loaded."""
    return library().ask("omp_get_max_threads")


def contiguous(tensor: Tensor) -> Tensor:
    """Return the tensor, copied if its numbers do not lie in their order: a view's do not."""
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def count(tensor: Tensor) -> int:
    """Return how many numbers the tensor has; `tensor.size` is a tensor first, and takes 20 times as long."""
    return prod(tensor.shape)


def array_of(tensor: Tensor) -> np.ndarray:
    """Return an array that is a contiguous float32 tensor's own memory, for as long as that lives."""
    memory = (c_float * count(tensor)).from_address(tensor.data_ptr())
    return np.ctypeslib.as_array(memory).reshape(tensor.shape)
