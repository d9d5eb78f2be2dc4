"""An exported graph, run by paddle.inference in this process.

A damaged or hostile graph can crash Paddle, and the process with it. `graph_process.py`
runs this in a process of its own, and is what commands use.
"""

import tempfile
from pathlib import Path

import numpy as np
from paddle import inference

from realesrgan_paddle.models.inference.exported_files import (
    EXPORT_FIRST,
    exported_files,
)
from realesrgan_paddle.models.inference.graph_check import checked_program
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import core_count, pick_device

ONEDNN_SHAPES = 10
"""oneDNN caches compiled primitives of so many input shapes; each new size adds one."""
SLOW_PASSES = (
    "conv_elementwise_add_onednn_fuse_pass",  # Paddle 3
    "conv_elementwise_add_mkldnn_fuse_pass",  # Paddle 2
    "conv_bn_fuse_pass",
    "conv_eltwiseadd_bn_fuse_pass",
)
"""Passes that find nothing to fuse in an upscaler.

The first two take time quadratic in the graph's size: RealESRGAN_x4plus loads in 3 s
without them, in 60 s with them, and runs as fast.
"""
GPU_POOL_MB = 100
"""Initial GPU memory pool; it grows as needed."""
PADDLE_ERRORS = (RuntimeError, ValueError, LookupError, TypeError, SystemError, OSError)
"""What Paddle raises for a graph that it cannot load or run (its pybind/exception.cc).

It has no exception of its own for a damaged file.
"""


class StaticRunner:
    """Runs an exported graph with paddle.inference.

    Args:
        program: the `.pdmodel` file.
        weights: the `.pdiparams` file.
        chosen: "cpu" (with oneDNN) or "gpu".
        threads: CPU threads.
        device: where it runs, and why; for messages.

    Attributes:
        scale: its upscaling factor, found by running it once.
    """

    def __init__(
        self, program: Path, weights: Path, chosen: str, threads: int, device: str = ""
    ) -> None:
        self.chosen = chosen
        self.threads = threads
        self.device = device
        self._largest = 0
        self._predictor: inference.Predictor | None = None

        # Paddle gets the very bytes that were checked, whatever becomes of the file.
        self._folder = tempfile.TemporaryDirectory(prefix="graph_")
        copy = Path(self._folder.name, "inference.pdmodel")
        copy.write_bytes(checked_program(program))
        self.files = (str(copy), str(weights))
        self.scale = self._find_scale()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the upscaled images.

        Raises:
            UserError: Paddle cannot run the graph on images of this size.
            MemoryError: they do not fit.
        """
        # In its first run a predictor lets tensors share memory. If a larger image comes
        # later, each takes its own (realesr-animevideov3, 640x448 pixels: 4.5 GB instead
        # of 0.7 GB), so that one gets a new predictor.
        try:
            if self._predictor is None or images.size > self._largest:
                self._predictor = None
                self._predictor = inference.create_predictor(self._config())
                self._largest = images.size
            return _run(self._predictor, images)
        except PADDLE_ERRORS as error:
            raise UserError(
                f"the graph cannot be run on {images.shape}: {_summary(error)}; it is "
                f"damaged, or not of this Paddle's version; {EXPORT_FIRST}"
            ) from error

    def _config(self) -> inference.Config:
        config = inference.Config(*self.files)
        config.disable_glog_info()
        config.enable_memory_optim()
        for name in SLOW_PASSES:
            config.delete_pass(name)

        if self.chosen == "gpu":
            config.enable_use_gpu(GPU_POOL_MB, 0)
        else:
            config.disable_gpu()
            config.enable_mkldnn()
            config.set_mkldnn_cache_capacity(ONEDNN_SHAPES)
            config.set_cpu_math_library_num_threads(self.threads)
        return config

    def _find_scale(self) -> int:
        """Return the upscaling factor of a 4x4 image: every network takes multiples of 4."""
        config = inference.Config(*self.files)
        config.disable_glog_info()
        config.disable_gpu()
        config.disable_mkldnn()
        config.switch_ir_optim(False)  # quick to load, slow to run
        predictor = inference.create_predictor(config)

        inputs, outputs = predictor.get_input_names(), predictor.get_output_names()
        if len(inputs) != 1 or len(outputs) != 1:
            raise UserError(
                f"{len(inputs)} inputs and {len(outputs)} outputs; an upscaler has one of "
                "each"
            )

        shape = _run(predictor, np.zeros((1, 3, 4, 4), np.float32)).shape
        scale = shape[-1] // 4 if shape else 0
        if scale < 1 or shape != (1, 3, 4 * scale, 4 * scale):
            raise UserError(
                f"makes {shape} of (1, 3, 4, 4); an upscaler makes "
                "(1, 3, 4 * scale, 4 * scale)"
            )
        return scale


def _run(predictor: inference.Predictor, images: np.ndarray) -> np.ndarray:
    (input_name,) = predictor.get_input_names()
    (output_name,) = predictor.get_output_names()
    predictor.get_input_handle(input_name).copy_from_cpu(images)
    predictor.run()
    return predictor.get_output_handle(output_name).copy_to_cpu()


def open_graph(
    model: str | Path, *, device: str = "auto", threads: int | None = None
) -> StaticRunner:
    """Return a runner, in this process, of an exported graph; see `load_static`.

    For graphs of which this program knows that they are sound.
    """
    program, weights = exported_files(Path(model))
    chosen, reason = pick_device(device)
    threads = threads or core_count()

    try:
        return StaticRunner(program, weights, chosen, threads, f"{chosen} ({reason})")
    except UserError as error:
        where = "" if str(error).startswith(str(program)) else f"{program}: "
        raise UserError(f"{where}{error}") from error
    except MemoryError as error:
        reason = "it asks for too much memory for 4x4 pixels"
        raise UserError(_damaged(program, reason)) from error
    except PADDLE_ERRORS as error:
        raise UserError(_damaged(program, _summary(error))) from error


def _damaged(program: Path, reason: str) -> str:
    weights = program.with_suffix(".pdiparams").name
    return f"{program} or {weights} is damaged: {reason}; {EXPORT_FIRST}"


def _summary(error: Exception) -> str:
    """Return the one line of Paddle's page-long messages that gives the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        if line.startswith("("):
            return line
    return lines[0] if lines else type(error).__name__
