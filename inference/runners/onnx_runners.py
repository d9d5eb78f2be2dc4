"""An exported network run by onnxruntime or OpenVINO, in this process, on the CPU.

Both are extras: they are imported where they are used.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.inference.graph.onnx_check import checked_onnx
from realesrgan_paddle.inference.runners.graph_in_process import GraphInProcess
from realesrgan_paddle.inference.runners.runner import find_scale
from realesrgan_paddle.utils.errors import UserError

FATAL = 4
"""onnxruntime's log level: its errors come as exceptions."""
LONGEST_REASON = 200
"""Characters of its messages that are shown; some name half a page of C++ types."""
PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
"""OpenVINO's names. Left to itself it takes bf16 wherever the CPU has it."""
FAILURES = (RuntimeError, UnicodeDecodeError)
"""What OpenVINO raises; the second for a message that repeats a damaged name."""


class OnnxRuntimeRunner(GraphInProcess):
    """Runs an `.onnx` file.

    Args:
        model: the file.
        threads: CPU threads.

    Raises:
        UserError: onnxruntime is not installed, or the model is refused or damaged.
    """

    def __init__(self, model: Path, threads: int) -> None:
        # It would report to its maker, and keep an identity of the machine in ~/.cache.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        try:
            import onnxruntime  # an extra
            from onnxruntime.capi import onnxruntime_pybind11_state as errors
        except ImportError:
            raise UserError(
                "engine 'onnxruntime' is not installed: pip install onnx onnxruntime"
            ) from None

        self.device = "cpu"
        self._model = model
        self._errors = (
            errors.Fail,
            errors.InvalidArgument,
            errors.InvalidGraph,
            errors.InvalidProtobuf,
            errors.NotImplemented,
            errors.RuntimeException,
            UnicodeDecodeError,  # for a message that repeats a damaged name
        )

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = FATAL
        content = checked_onnx(model)
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except self._errors as error:
            raise UserError(
                f"{model}: onnxruntime cannot load it ({_first_line(error)})"
            ) from error

        shapes = {each.name: each.shape for each in self._session.get_inputs()}
        self._know(model, shapes, len(self._session.get_outputs()))
        self.scale = find_scale(model, self)

    def _run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        try:
            return self._session.run(None, dict(inputs))
        except self._errors as error:
            if "Failed to allocate" in str(error) or "bad allocation" in str(error):
                raise MemoryError(str(error)) from error
            raise UserError(
                f"{self._model}: onnxruntime cannot run it on {_shape(inputs)} "
                f"({_first_line(error)})"
            ) from error


def _shape(inputs: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    """Return the shape of the images that a graph was given."""
    return next(iter(inputs.values())).shape


def _first_line(error: Exception) -> str:
    return _lines(error)[0][:LONGEST_REASON]


class OpenVinoRunner(GraphInProcess):
    """Runs an `.onnx` or a `.pdmodel` file.

    Args:
        model: the file; beside a `.pdmodel` lies its `.pdiparams`.
        precision: "fp32" or "bf16".
        threads: CPU threads.

    Raises:
        UserError: OpenVINO is not installed, or the model is refused or damaged, or is
            a `.pdmodel` with an operator that OpenVINO does not read.
    """

    def __init__(self, model: Path, precision: str, threads: int) -> None:
        # It would tell its maker of each import; without this package it has a stub.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        try:
            import openvino  # an extra
        except ImportError:
            raise UserError(
                "engine 'openvino' is not installed: pip install onnx openvino"
            ) from None

        self.device = "cpu"
        self._model = model
        core = openvino.Core()
        settings = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            graph = _read(core, model)
            self._compiled = core.compile_model(graph, "CPU", settings)
        except FAILURES as error:
            advice = ""
            if model.suffix == ".pdmodel":
                advice = "; tools/export_model.py --onnx writes a file that it reads"
            raise UserError(
                f"{model}: OpenVINO cannot load it ({_reason(error)}){advice}"
            ) from error

        shapes = {each.get_any_name(): _sizes(each) for each in self._compiled.inputs}
        self._know(model, shapes, len(self._compiled.outputs))
        self.scale = find_scale(model, self)

    def _run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        try:
            # A request of its own: when memory is short, OpenVINO 2026.4 may leave the
            # output as it is, without an error. That of a request in use would be the
            # image before.
            request = self._compiled.create_infer_request()
            found = request.infer(dict(inputs), share_inputs=True)
            outputs = [found[number] for number in range(len(found))]
        except FAILURES as error:
            if "Failed to allocate" in str(error) or "bad_alloc" in str(error):
                raise MemoryError(str(error)) from error
            raise UserError(
                f"{self._model}: OpenVINO cannot run it on {_shape(inputs)} "
                f"({_reason(error)})"
            ) from error
        if any(output.size == 0 for output in outputs):
            raise MemoryError(f"OpenVINO made nothing of {_shape(inputs)}")
        return outputs


def _sizes(port: Any) -> list[object]:
    """Return the shape of an input of OpenVINO's, None for a size that is free."""
    sizes = port.get_partial_shape()
    return [size.get_length() if size.is_static else None for size in sizes]


def _read(core: Any, model: Path) -> Any:
    """Return OpenVINO's graph of the very bytes that were checked."""
    if model.suffix == ".onnx":
        return core.read_model(checked_onnx(model))

    # Imported here: it loads Paddle, which an ONNX file does not need.
    from realesrgan_paddle.inference.graph.paddle_files import checked_program

    # OpenVINO finds the weights by the program's name.
    with tempfile.TemporaryDirectory(prefix="openvino_") as folder:
        program = Path(folder, "inference.pdmodel")
        program.write_bytes(checked_program(model))
        weights = program.with_suffix(".pdiparams")
        shutil.copyfile(model.with_suffix(".pdiparams"), weights)
        return core.read_model(program)


def _reason(error: Exception) -> str:
    """Return the line of OpenVINO's message that gives the reason: the last one."""
    return _lines(error)[-1]


def _lines(error: Exception) -> list[str]:
    """Return the lines of a message; of some errors Python 3.10 is told none."""
    return str(error).strip().splitlines() or [type(error).__name__]
