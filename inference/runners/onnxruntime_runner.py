"""An ONNX model, run by onnxruntime in this process, in float32 on the CPU."""

from pathlib import Path

import numpy as np

from realesrgan_paddle.inference.graph.onnx_check import checked_onnx
from realesrgan_paddle.inference.runners.scale import check_one_of_each, find_scale
from realesrgan_paddle.utils.errors import UserError

FATAL = 4
"""onnxruntime's log level: its errors come as exceptions."""
LONGEST_REASON = 200
"""Characters of its messages that are shown; some name half a page of C++ types."""


class OnnxRuntimeRunner:
    """Runs an `.onnx` file; called like `DygraphRunner`.

    Args:
        model: the file.
        threads: CPU threads.

    Attributes:
        scale: its upscaling factor, found by running it once.
        device: where it runs.

    Raises:
        UserError: onnxruntime is not installed, or the model is refused or damaged.
    """

    def __init__(self, model: Path, threads: int) -> None:
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

        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        check_one_of_each(model, len(inputs), len(outputs))
        self._input = inputs[0].name
        self.scale = find_scale(model, self)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the upscaled images.

        Raises:
            UserError: the model cannot be run on images of this size.
            MemoryError: they do not fit.
        """
        try:
            (upscaled,) = self._session.run(None, {self._input: images})
        except self._errors as error:
            if "Failed to allocate" in str(error) or "bad allocation" in str(error):
                raise MemoryError(str(error)) from error
            raise UserError(
                f"{self._model}: onnxruntime cannot run it on {images.shape} "
                f"({_first_line(error)})"
            ) from error
        return upscaled


def _first_line(error: Exception) -> str:
    line = str(error).splitlines()[0]
    return line[:LONGEST_REASON]
