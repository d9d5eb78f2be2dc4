"""oneDNN's memory layouts and primitives (its word for one compiled operation).

One thread at a time may compute: each call points a primitive's memory objects at other
tensors.
"""

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import byref, c_char_p, c_int, c_int64, c_void_p
from threading import Lock
from typing import Any

from realesrgan_paddle.ops.onednn.library import (
    BINARY_ADD,
    DIFF_DST,
    DIFF_SRC,
    DIFF_WEIGHTS,
    DST,
    F32,
    NULL,
    SRC,
    SRC_1,
    WEIGHTS,
    WORKSPACE,
    OneDNNError,
    library,
)
from realesrgan_paddle.utils.machine.devices import float_lanes

Shape = tuple[int, int, int, int]
"""(N, C, H, W) of features, (out, in, k, k) of weights."""
BLOCK = float_lanes()
"""Channels that lie together in blocked features, as many as a register holds."""

_MAX_DIMENSIONS = 12  # DNNL_MAX_NDIMS
_FORMAT_ANY = 1  # dnnl_format_tag_t, also below
_FORMAT_BLOCKED = {8: 102, 16: 78}  # nChw8c, nChw16c
_QUERY_IMPLEMENTATION = 8  # dnnl_query_impl_info_str
_QUERY_LAYOUT = {
    SRC: 129,
    DIFF_SRC: 130,
    WEIGHTS: 131,
    DIFF_WEIGHTS: 132,
    DST: 133,
    DIFF_DST: 134,
    WORKSPACE: 135,
}
"""dnnl_query_t of each argument: asks for the layout that the primitive chose."""


class _Owned(c_void_p):
    """A handle that is destroyed with this object; oneDNN copies what it is given."""

    destroy: str

    def __init__(self, value: int | None) -> None:
        super().__init__(value)
        self._library = library()

    def __del__(self) -> None:
        self._library.call(self.destroy, self)


class Layout(_Owned):
    """Of a memory."""

    destroy = "dnnl_memory_desc_destroy"


class Attributes(_Owned):
    """Of a primitive: its post-operations and scales."""

    destroy = "dnnl_primitive_attr_destroy"


def sizes(values: Sequence[int]) -> Any:
    """Return a `dnnl_dims_t`."""
    return (c_int64 * _MAX_DIMENSIONS)(*values)


def layout(shape: Sequence[int], strides: Sequence[int], dtype: int = F32) -> c_void_p:
    """Return the layout of a memory with these sizes, and strides in elements."""
    handle = library().create(
        "dnnl_memory_desc_create_with_strides",
        len(shape),
        sizes(shape),
        dtype,
        sizes(strides),
    )
    return Layout(handle.value)


def flat(elements: int, dtype: int = F32) -> c_void_p:
    """Return the layout of elements in a row."""
    return layout((elements,), (1,), dtype)


def any_layout(shape: Sequence[int], dtype: int = F32) -> c_void_p:
    """Return a layout that the primitive may choose."""
    return _tagged(shape, dtype, _FORMAT_ANY)


def nchw(shape: Shape, dtype: int = F32) -> c_void_p:
    """Return the layout of a tensor that lies in memory in the order of its shape."""
    _, channels, height, width = shape
    plane = height * width
    strides = (channels * plane, plane, width, 1)
    return layout(shape, strides, dtype)


def nhwc(shape: Shape, dtype: int = F32) -> c_void_p:
    """Return the layout of features (N, C, H, W) that lie in memory as (N, H, W, C)."""
    _, channels, height, width = shape
    row = width * channels
    strides = (height * row, 1, row, channels)
    return layout(shape, strides, dtype)


def blocked(shape: Shape, dtype: int = F32) -> c_void_p:
    """Return the layout of features (N, C, H, W) as (N, C / BLOCK, H, W, BLOCK)."""
    return _tagged(shape, dtype, _FORMAT_BLOCKED[BLOCK])


def _tagged(shape: Sequence[int], dtype: int, tag: int) -> c_void_p:
    handle = library().create(
        "dnnl_memory_desc_create_with_tag", len(shape), sizes(shape), dtype, tag
    )
    return Layout(handle.value)


def size_of(memory_layout: c_void_p) -> int:
    """Return the size in bytes of a memory of this layout."""
    return library().ask("dnnl_memory_desc_get_size", memory_layout)


def implementation(description: c_void_p) -> str:
    """Return the name of oneDNN's implementation, such as "jit:avx512_core"."""
    name = c_char_p()
    library().call(
        "dnnl_primitive_desc_query", description, _QUERY_IMPLEMENTATION, 0, byref(name)
    )
    return (name.value or b"").decode()


class _Argument(ctypes.Structure):
    """A `dnnl_exec_arg_t`."""

    _fields_ = (("argument", c_int), ("memory", c_void_p))


class Operation:
    """One operation on memories of fixed layouts.

    Args:
        description: handle of the primitive's description
            (`dnnl_..._primitive_desc_create`); the primitive takes it over.
        memories: layout of each argument; None means the one that the primitive chose.

    Attributes:
        library: what created it.
        handle: the primitive's handle.
        layouts: layout of each argument.
        bytes: size of each argument's memory.
    """

    def __init__(
        self, description: c_void_p, memories: Mapping[int, c_void_p | None]
    ) -> None:
        self.library = dnnl = library()
        self._memories: dict[int, c_void_p] = {}
        self.description = description
        self.handle = dnnl.create("dnnl_primitive_create", description)

        self.layouts: dict[int, c_void_p] = {}
        self.bytes: dict[int, int] = {}
        for argument, given in memories.items():
            chosen = given or self._chosen_layout(argument)
            self.layouts[argument] = chosen
            self.bytes[argument] = size_of(chosen)
            self._memories[argument] = dnnl.create(
                "dnnl_memory_create", chosen, dnnl.engine, NULL
            )

        # Each call passes the same array of memories; only their addresses change.
        arguments = [_Argument(*item) for item in self._memories.items()]
        count = len(arguments)
        array = (_Argument * count)(*arguments)
        self._execution = (self.handle, dnnl.stream, count, array)
        self._lock = Lock()

    def _execute(self) -> None:
        # On a CPU this returns with the result; dnnl_stream_wait is for GPUs.
        dnnl = self.library
        status = dnnl.execute(*self._execution)
        if status:
            raise OneDNNError(
                f"oneDNN {dnnl.version}: dnnl_primitive_execute returns status {status}"
            )

    def __del__(self) -> None:
        """Free what oneDNN holds; layouts may be shared."""
        if not hasattr(self, "handle"):  # the process was stopped while it was made
            return
        dnnl = self.library
        for memory in self._memories.values():
            dnnl.call("dnnl_memory_destroy", memory)
        dnnl.call("dnnl_primitive_destroy", self.handle)
        dnnl.call("dnnl_primitive_desc_destroy", self.description)

    def _chosen_layout(self, argument: int) -> c_void_p:
        query = _QUERY_LAYOUT[argument]
        found = library().ask(
            "dnnl_primitive_desc_query_md", self.description, query, 0
        )
        return c_void_p(found)

    def once(self, addresses: Mapping[int, int]) -> None:
        """Compute on memories at these addresses, from any thread."""
        with self._lock:
            for argument, memory in self._memories.items():
                self.library.set_address(memory, addresses[argument])
            self._execute()

    def bound(self, addresses: Mapping[int, int]) -> "Execution":
        """Return this operation on memories at fixed addresses.

        To bind takes 20 to 40 us, ten times as long as `once` needs beside computing.
        """
        return Execution(self, addresses)


class Execution:
    """An operation with its memories: a call carries it out, and nothing else."""

    def __init__(self, operation: Operation, addresses: Mapping[int, int]) -> None:
        self._library = dnnl = operation.library
        self._operation = operation  # keeps the primitive alive
        self._memories: list[c_void_p] = []
        arguments = []
        for argument, memory_layout in operation.layouts.items():
            address = c_void_p(addresses[argument])
            memory = dnnl.create(
                "dnnl_memory_create", memory_layout, dnnl.engine, address
            )
            self._memories.append(memory)
            arguments.append(_Argument(argument, memory))

        count = len(arguments)
        array = (_Argument * count)(*arguments)
        self._arguments = (operation.handle, dnnl.stream, count, array)

    def __call__(self) -> None:
        """Compute."""
        status = self._library.execute(*self._arguments)
        if status:
            raise OneDNNError(f"dnnl_primitive_execute returns status {status}")

    def __del__(self) -> None:
        """Free the memory objects, not the memory."""
        for memory in self._memories:
            self._library.call("dnnl_memory_destroy", memory)


class Primitive(Operation):
    """An operation that is called with the address of each argument's memory."""

    def __call__(self, addresses: Mapping[int, int]) -> None:
        """Compute."""
        dnnl, memories = self.library, self._memories
        for argument, address in addresses.items():
            dnnl.set_address(memories[argument], address)
        self._execute()


class Copy(Operation):
    """A copy to another layout or data type, called with two addresses."""

    def __call__(self, source: int, target: int) -> None:
        """Copy, or add, the source to the target."""
        dnnl, memories = self.library, self._memories
        dnnl.set_address(memories[SRC], source)
        dnnl.set_address(memories[DST], target)
        self._execute()


class Addition(Operation):
    """An addition, called with three addresses."""

    def __call__(self, x: int, y: int, result: int) -> None:
        """Write x + y; `result` may be x or y."""
        dnnl, memories = self.library, self._memories
        dnnl.set_address(memories[SRC], x)
        dnnl.set_address(memories[SRC_1], y)
        dnnl.set_address(memories[DST], result)
        self._execute()


def reorder(source: c_void_p, target: c_void_p, *, add: bool = False) -> Copy:
    """Return the copy from one layout to another; `add` adds to the target."""
    dnnl = library()

    attributes = NULL
    if add:
        steps = dnnl.create("dnnl_post_ops_create")
        dnnl.call("dnnl_post_ops_append_sum", steps, 1.0, 0, 0)
        attributes = attributes_of(steps)

    description = dnnl.create(
        "dnnl_reorder_primitive_desc_create",
        source,
        dnnl.engine,
        target,
        dnnl.engine,
        attributes,
    )
    return Copy(description, {SRC: source, DST: target})


def attributes_of(steps: c_void_p) -> c_void_p:
    """Return the attributes with these post-operations, which are destroyed."""
    dnnl = library()
    handle = dnnl.create("dnnl_primitive_attr_create")
    attributes = Attributes(handle.value)
    dnnl.call("dnnl_primitive_attr_set_post_ops", attributes, steps)
    dnnl.call("dnnl_post_ops_destroy", steps)
    return attributes


def addition(elements: int) -> Addition:
    """Return the addition of float32 numbers in a row."""
    dnnl = library()
    x = flat(elements)
    description = dnnl.create(
        "dnnl_binary_primitive_desc_create", dnnl.engine, BINARY_ADD, x, x, x, NULL
    )
    return Addition(description, {SRC: x, SRC_1: x, DST: x})
