"""An exported graph, run by paddle.inference in this process.

A damaged or hostile graph can crash Paddle, and the process with it. `graph_process.py`
runs this in a process of its own, and is what commands use.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from paddle import inference

from realesrgan_paddle.inference.graph.exported_files import (
    EXPORT_FIRST,
    exported_files,
)
from realesrgan_paddle.inference.graph.paddle_files import checked_program, input_shapes
from realesrgan_paddle.inference.runners import tensorrt
from realesrgan_paddle.inference.runners.graph_in_process import GraphInProcess
from realesrgan_paddle.inference.runners.runner import find_scale
from realesrgan_paddle.utils.errors import UserError, lacks_memory
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
BF16_OPERATORS = {"conv2d", "fused_conv2d", "concat"}
"""What computes in bf16. With Paddle's own list, graphs fail at elementwise_add."""
PRELU = b"prelu"
"""In the program of a graph that has this operator.

Paddle 3.3.1 leaves convolutions before it in float32 without a word, and makes NaN of
the image if the operator is added to those of bf16.
"""
PADDLE_ERRORS = (RuntimeError, ValueError, LookupError, TypeError, SystemError, OSError)
"""What Paddle raises for a graph that it cannot load or run (its pybind/exception.cc).

It has no exception of its own for a damaged file.
"""


class StaticRunner(GraphInProcess):
    """Runs an exported graph with paddle.inference.

    Args:
        program: the `.pdmodel` file.
        weights: the `.pdiparams` file.
        chosen: "cpu" (with oneDNN) or "gpu".
        threads: CPU threads.
        device: where it runs, and why; for messages.
        precision: "fp32"; "bf16" on a CPU, "fp16" on a GPU.
        trt: run it with TensorRT, on a GPU.

    """

    def __init__(
        self,
        program: Path,
        weights: Path,
        chosen: str,
        threads: int,
        device: str = "",
        precision: str = "fp32",
        *,
        trt: bool,
    ) -> None:
        self.chosen = chosen
        self.threads = threads
        self.device = device
        self.precision = precision
        self.trt = trt
        self._largest = 0
        self._predictor: inference.Predictor | None = None

        # Paddle gets the very bytes that were checked, whatever becomes of the file.
        self._folder = tempfile.TemporaryDirectory(prefix="graph_")
        copy = Path(self._folder.name, "inference.pdmodel")
        content = checked_program(program)
        if precision == "bf16" and PRELU in content:
            raise UserError(
                "it has PReLU, which Paddle cannot run in bf16; use --precision fp32, or "
                "another --engine"
            )
        if trt:
            tensorrt.check_available()
        copy.write_bytes(content)
        self.files = (str(copy), str(weights))
        self.scale = self._find_scale(program, input_shapes(content))
        if trt and hasattr(self, "num_state"):
            raise UserError("it takes a state, which is not run with TensorRT")

    def _run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return the graph's outputs."""
        images = next(iter(inputs.values()))
        # In its first run a predictor lets tensors share memory. If a larger image comes
        # later, each takes its own (realesr-animevideov3, 640x448 pixels: 4.5 GB instead
        # of 0.7 GB), so that one gets a new predictor.
        try:
            if self._predictor is None or images.size > self._largest:
                self._predictor = None
                self._predictor = inference.create_predictor(self._config(images))
                self._largest = images.size
            return _run(self._predictor, inputs)
        except PADDLE_ERRORS as error:
            if lacks_memory(error):
                raise MemoryError(_summary(error)) from error
            raise UserError(
                f"the graph cannot be run on {images.shape}: {_summary(error)}; it is "
                f"damaged, or not of this Paddle's version; {EXPORT_FIRST}"
            ) from error

    def _config(self, images: np.ndarray) -> inference.Config:
        """Return how to run the graph on `images`, the largest so far."""
        config = self._device_config()
        if self.trt:
            ranges = tensorrt.collect_ranges(self._device_config(), self.files, images)
            tensorrt.enable(config, ranges, self.precision)
        return config

    def _device_config(self) -> inference.Config:
        config = inference.Config(*self.files)
        config.disable_glog_info()
        config.enable_memory_optim()
        for name in SLOW_PASSES:
            config.delete_pass(name)

        if self.chosen == "gpu":
            kind = tensorrt.PRECISIONS[self.precision]
            config.enable_use_gpu(GPU_POOL_MB, 0, kind)
        else:
            config.disable_gpu()
            config.enable_mkldnn()
            config.set_mkldnn_cache_capacity(ONEDNN_SHAPES)
            config.set_cpu_math_library_num_threads(self.threads)
            if self.precision == "bf16":
                config.enable_mkldnn_bfloat16()
                config.set_bfloat16_op(BF16_OPERATORS)
        return config

    def _find_scale(self, program: Path, shapes: Mapping[str, list[int]]) -> int:
        """Return the upscaling factor of a 4x4 image: every network takes multiples of 4."""
        config = inference.Config(*self.files)
        config.disable_glog_info()
        config.disable_gpu()
        config.disable_mkldnn()
        config.switch_ir_optim(False)  # quick to load, slow to run
        predictor = inference.create_predictor(config)

        self._know(program, shapes, len(predictor.get_output_names()))
        return find_scale(
            program, lambda images: _run(predictor, self._of_pictures(images))[0]
        )


def _run(
    predictor: inference.Predictor, inputs: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    for name, array in inputs.items():
        predictor.get_input_handle(name).copy_from_cpu(array)
    predictor.run()
    names = predictor.get_output_names()
    return [predictor.get_output_handle(name).copy_to_cpu() for name in names]


def open_graph(
    model: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: str = "fp32",
    trt: bool = False,
) -> StaticRunner:
    """Return a runner, in this process, of an exported graph; see `load_static`.

    For graphs of which this program knows that they are sound.
    """
    program, weights = exported_files(Path(model))
    chosen, reason = pick_device(device)
    threads = threads or core_count()

    where = f"{chosen} ({reason})"
    try:
        return StaticRunner(
            program, weights, chosen, threads, where, precision, trt=trt
        )
    except UserError as error:
        prefix = "" if str(error).startswith(str(program)) else f"{program}: "
        raise UserError(f"{prefix}{error}") from error
    except PADDLE_ERRORS as error:
        if lacks_memory(error):
            raise MemoryError(_summary(error)) from error
        raise UserError(
            f"{program} or {weights.name} is damaged: {_summary(error)}; {EXPORT_FIRST}"
        ) from error


def _summary(error: Exception) -> str:
    """Return the one line of Paddle's page-long messages that gives the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        if line.startswith("("):
            return line
    return lines[0] if lines else type(error).__name__
