"""What this machine has for the project, what is missing, and what to install."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from realesrgan_paddle import __version__
from realesrgan_paddle.models.weights.catalogue import MODELS
from realesrgan_paddle.models.weights.read_generator import DEFAULT_FOLDER
from realesrgan_paddle.ops.onednn.library import OneDNNError, library
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg
from realesrgan_paddle.utils.machine.devices import (
    core_count,
    cpu_features,
    cpu_name,
    has_bf16,
    pick_device,
    start_paddle,
)
from realesrgan_paddle.utils.machine.memory import free_memory, memory_limit

FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""Of x86 processors: what oneDNN chooses its code by."""

OPTIONAL = {
    "av": ("av>=17,<19", "upscaling videos"),
    "onnxruntime": ("onnx onnxruntime", "--engine onnxruntime, and ONNX exports"),
    "openvino": ("onnx openvino", "--engine openvino"),
    "gradio": ("gradio starlette", "the web page (serve)"),
    "matplotlib": ("matplotlib", "plotted curves"),
    "visualdl": ("visualdl", "curves in VisualDL"),
    "h5py": ("h5py", "Keras weights of idealo's ISR"),
}
"""What is installed on request: package -> what pip installs, and what it is for."""

VARIABLES = (
    "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "CUDA_VISIBLE_DEVICES",
    "IMAGEIO_FFMPEG_EXE",
    "REALESRGAN_MAX_IMAGE_MB",
    "http_proxy",
    "https_proxy",
)
"""Environment variables that change what the commands do."""

GB = 1e9
LITTLE_DISK = 2e9
"""Bytes below which the disk is said to be nearly full: a set and a run take about that."""


def examine() -> Iterator[tuple[str, str]]:
    """Yield (what, how it stands), line by line; nothing is written or sent anywhere."""
    # Before Paddle is started, which sets some.
    given = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]

    yield "toolkit", f"realesrgan-paddle {__version__}, Python {_python()}"
    yield "system", f"{platform.platform()}, {platform.machine()}"
    yield "environment", ", ".join(given) or "no variable set that matters"
    yield "processor", _processor()
    yield "memory", f"{free_memory() / GB:.1f} GB free of {memory_limit() / GB:.1f} GB"
    yield "GPU", _gpu()
    yield "Paddle", _paddle()
    yield "oneDNN engine", _engine()
    yield "ffmpeg", _ffmpeg()
    for package, (to_install, purpose) in OPTIONAL.items():
        yield package, _package(package, to_install, purpose)
    yield "released networks", _networks(DEFAULT_FOLDER)
    yield "disk", _disk(Path.cwd())
    yield "temporary files", _disk(Path(tempfile.gettempdir()))


def _python() -> str:
    return f"{platform.python_version()} ({sys.executable})"


def _processor() -> str:
    """Return name, cores and features of the CPU."""
    features = [name for name in FEATURES if name in cpu_features()]
    has = ", ".join(features) or "features not known"
    bf16 = "computes in bfloat16" if has_bf16() else "no bfloat16: fp32 is used"
    return f"{cpu_name()}, {core_count()} cores for this process; {has}; {bf16}"


def _gpu() -> str:
    """Return the NVIDIA GPUs that the driver names."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "none found (no nvidia-smi)"
    query = "--query-gpu=name,memory.total,driver_version"
    try:
        done = subprocess.run(
            [program, query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"nvidia-smi failed: {error}"
    return "; ".join(done.stdout.split("\n")).strip("; ")


def _paddle() -> str:
    """Return Paddle's version and the device that it would take."""
    if find_spec("paddle") is None:
        return (
            "MISSING: pip install paddlepaddle (CPU), or paddlepaddle-gpu setuptools "
            "(NVIDIA GPU; newer: https://www.paddlepaddle.org.cn/install/quick)"
        )
    start_paddle()
    import paddle

    device, why = pick_device()
    return f"{paddle.__version__}, would compute on {device} ({why})"


def _engine() -> str:
    """Return the version of oneDNN that CPU networks run with."""
    try:
        found = library()
    except OneDNNError as error:
        return f"not available: {error}"
    return f"oneDNN {found.version}, {found.threads} threads"


def _ffmpeg() -> str:
    try:
        return find_ffmpeg()
    except UserError as error:
        return f"MISSING: {error}"


def _package(name: str, to_install: str, purpose: str) -> str:
    """Return the version of a package, or how to install it."""
    if find_spec(name) is None:
        return f"not installed; for {purpose}: pip install {to_install}"
    try:
        return version(name)
    except PackageNotFoundError:
        return "installed"


def _networks(folder: Path) -> str:
    """Return which released networks lie in the folder they are fetched into."""
    found = [m.name for m in MODELS if (folder / f"{m.name}.pdparams").is_file()]
    listed = ", ".join(found) or "none yet; each is fetched when it is first used"
    return f"in {folder.resolve()}: {listed}"


def _disk(folder: Path) -> str:
    """Return how much room a folder has, and whether it can be written."""
    free = shutil.disk_usage(folder).free
    state = f"{free / GB:.1f} GB free in {folder}"
    if free < LITTLE_DISK:
        state += "; NEARLY FULL"
    if not os.access(folder, os.W_OK):
        state += "; NOT WRITABLE"
    return state
