"""oneDNN's C API through ctypes, from the library inside the Paddle wheel.

On a CPU, Paddle's own convolutions use oneDNN in inference graphs only. Its wheels for
Linux and Windows still carry the library (`paddle/libs`) and have it loaded, with an
OpenMP, so that no compiler, header or package is needed to call it. Names, numbers and
signatures here are those of oneDNN 3's `dnnl.h` and `dnnl_types.h`; they are stable
throughout version 3.
"""

import ctypes
import sys
from ctypes import byref, c_float, c_int, c_int32, c_size_t, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from realesrgan_paddle.utils.machine.devices import SPIN_MS

LIBRARIES = {"linux": "libdnnl.so.3", "win32": "mkldnn.dll"}
"""Its name in Paddle's wheels, by `sys.platform`; those for macOS have none.

That of Windows was read from the wheel of 3.3.1, which exports every function that is
called here. It was never run: see docs/platforms.md.
"""

# dnnl_data_type_t
BF16 = 2
F32 = 3
S8 = 5
BYTES = {BF16: 2, F32: 4, S8: 1}

# dnnl_prop_kind_t, dnnl_alg_kind_t
FORWARD_TRAINING = 64
FORWARD_INFERENCE = 96
CONVOLUTION_DIRECT = 1
DECONVOLUTION_DIRECT = 0xA
ELTWISE_RELU = 0x20
ELTWISE_LINEAR = 0x26
ELTWISE_RELU_USE_DST = 0x100
POOLING_MAX = 0x1FF
POOLING_AVERAGE = 0x3FF  # padding does not count: dnnl_pooling_avg_exclude_padding
BINARY_ADD = 0x1FFF0
BINARY_SUB = 0x1FFF5

# arguments of an execution: DNNL_ARG_...
SRC, SRC_1, DST = 1, 2, 17
WEIGHTS, BIAS, WORKSPACE = 33, 41, 64
DIFF_SRC, DIFF_DST = 129, 145
DIFF_WEIGHTS, DIFF_BIAS = 161, 169

_CPU = 1  # dnnl_engine_kind_t
_IN_ORDER = 1  # dnnl_stream_flags_t
NULL = c_void_p(0)


class OneDNNError(Exception):
    """oneDNN cannot be used here, or refused a call; the message says why."""


class _Version(ctypes.Structure):
    """The first fields of `dnnl_version_t`."""

    _fields_ = (("major", c_int), ("minor", c_int), ("patch", c_int))


class Library:
    """The library at `path`, with an engine for the CPU and a stream to run on.

    Attributes:
        version: such as "3.6.2".
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise OneDNNError(f"{path} does not exist")

        try:
            self._openmp = _load_openmp(path.parent)
            self._functions = ctypes.CDLL(str(path))
            self.version = self._read_version()
        except (OSError, AttributeError) as error:
            raise OneDNNError(f"{path} cannot be used: {error}") from error
        if not self.version.startswith("3."):
            raise OneDNNError(f"{path} is oneDNN {self.version}, and 3 is expected")

        self.path = path
        try:
            self._declare()
        except AttributeError as error:
            raise OneDNNError(f"{path} cannot be used: {error}") from error
        self.engine = self.create("dnnl_engine_create", _CPU, c_size_t(0))
        self.stream = self.create("dnnl_stream_create", self.engine, _IN_ORDER)

    def _read_version(self) -> str:
        read = self._functions.dnnl_version
        read.restype = ctypes.POINTER(_Version)
        version = read().contents
        return f"{version.major}.{version.minor}.{version.patch}"

    def _declare(self) -> None:
        """Declare what ctypes cannot guess: results other than int, and floats."""
        functions = self._functions
        handle, kind, alpha, beta = c_void_p, c_int, c_float, c_float

        functions.dnnl_memory_desc_get_size.restype = c_size_t
        functions.dnnl_primitive_desc_query_md.restype = c_void_p

        self.set_address = functions.dnnl_memory_set_data_handle
        self.set_address.argtypes = [handle, c_void_p]
        self.execute = functions.dnnl_primitive_execute
        self.execute.argtypes = [handle, handle, c_int, c_void_p]

        append_sum = functions.dnnl_post_ops_append_sum
        append_sum.argtypes = [handle, alpha, c_int32, c_int]
        append_binary = functions.dnnl_post_ops_append_binary
        append_binary.argtypes = [handle, kind, handle]
        append_eltwise = functions.dnnl_post_ops_append_eltwise
        append_eltwise.argtypes = [handle, kind, alpha, beta]

        forward = functions.dnnl_eltwise_forward_primitive_desc_create
        forward.argtypes = [
            *[handle] * 2, kind, kind, *[handle] * 2, alpha, beta, handle
        ]  # fmt: skip
        backward = functions.dnnl_eltwise_backward_primitive_desc_create
        backward.argtypes = [
            *[handle] * 2, kind, *[handle] * 3, alpha, beta, *[handle] * 2
        ]  # fmt: skip

    def call(self, name: str, *args: Any) -> None:
        """Call the function `name`; OneDNNError unless its status is dnnl_success."""
        status = self._function(name)(*args)
        if status:
            raise OneDNNError(f"oneDNN {self.version}: {name} returns status {status}")

    def ask(self, name: str, *args: Any) -> Any:
        """Return the result of the function `name`, which returns no status."""
        return self._function(name)(*args)

    def _function(self, name: str) -> Any:
        try:
            return getattr(self._functions, name)
        except AttributeError as error:
            raise OneDNNError(f"{self.path} cannot be used: {error}") from error

    @property
    def threads(self) -> int:
        """The number of OpenMP threads that a primitive computes on."""
        openmp = self._openmp or self._functions
        return openmp.omp_get_max_threads()

    def use_threads(self, count: int) -> None:
        """Compute on `count` threads where the calling thread computes.

        Idle ones sleep after `SPIN_MS`, if the OpenMP of Paddle's wheel can do that.
        """
        openmp = self._openmp or self._functions
        openmp.omp_set_num_threads(count)
        set_spin_time = getattr(self._openmp, "kmp_set_blocktime", None)
        if set_spin_time is not None:  # Intel's OpenMP
            set_spin_time(SPIN_MS)

    def create(self, name: str, *args: Any) -> c_void_p:
        """Return the handle that the function `name` creates."""
        handle = c_void_p()
        self.call(name, byref(handle), *args)
        return handle


def _load_openmp(folder: Path) -> ctypes.CDLL | None:
    """Load the OpenMP that oneDNN computes with; None if the wheel has none.

    On Windows that is Microsoft's, which `mkldnn.dll` imports. On Linux it is Paddle's,
    loaded for all libraries as Paddle's import does; else oneDNN would take GNU's. On two
    cores with three times as much other work, 128x128 pixels through
    realesr-animevideov3 took 1.3 s with GNU's and 0.4 s with this one (without other
    work the same).
    """
    if sys.platform == "win32":
        return ctypes.CDLL("vcomp140.dll")
    path = folder / "libiomp5.so"
    if not path.is_file():
        return None
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


@cache
def library() -> Library:
    """Return the library of the installed Paddle; OneDNNError if it cannot be used."""
    name = LIBRARIES.get(sys.platform)
    if name is None:
        raise OneDNNError(f"Paddle's wheel for {sys.platform} has no oneDNN")

    # Found without an import of Paddle, which takes a second.
    paddle = find_spec("paddle")
    if paddle is None or paddle.origin is None:
        raise OneDNNError(f"Paddle, whose wheel carries {name}, is not installed")
    return Library(Path(paddle.origin).parent / "libs" / name)


def threads() -> int:
    """Return the number of OpenMP threads that a primitive computes on."""
    return library().threads
