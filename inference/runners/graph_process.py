"""An exported graph, run in a process of its own.

A graph is a stranger's program, and Paddle crashes on some that are damaged: a few
flipped bytes are enough. So no graph is loaded into the process that reads and writes
images. If the other one ends, that is one line here, and the next image starts another.
"""

import os
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from realesrgan_paddle.inference.graph.exported_files import (
    EXPORT_FIRST,
    exported_files,
)
from realesrgan_paddle.inference.runners import graph_worker
from realesrgan_paddle.inference.runners.graph_worker import (
    TRIAL_SECONDS,
    receive,
    receive_arrays,
    send_arrays,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import DEVICES, core_count, require_paddle
from realesrgan_paddle.utils.signals import defer_interrupts

ENGINE_NAMES = {
    "paddle": "Paddle",
    "openvino": "OpenVINO",
    "onnxruntime": "onnxruntime",
}
"""What can run a graph in the other process."""
PROBE = 128
"""Side of the image that a graph's memory is measured with [pixels]."""
GRAPH_BYTES = 24_000
"""Memory for each pixel of an image, where it cannot be measured [bytes].

Measured on a CPU with images of 128x128: RealESRGAN_x4plus takes 23,300,
RealESRGAN_x4plus_anime_6B 20,100, realesr-animevideov3 1,900; less with larger images.
"""
PYTHON_ERROR = 1
"""The exit code of a Python process that an exception has ended."""


class GraphRunner:
    """Runs an exported graph in another process.

    Called like `DygraphRunner`.

    Args:
        program: the `.pdmodel` file, its `.pdiparams` beside it, or an `.onnx` file.
        device: "auto", "cpu" (with oneDNN) or "gpu".
        threads: CPU threads.
        engine: one of `ENGINE_NAMES`.
        precision: what it computes in: "fp32", "bf16" or "fp16".
        trt: run it with TensorRT, on a GPU.

    Attributes:
        scale: its upscaling factor, found by running it once.
        device: where it runs, and why; for messages.
        num_state: channels of the state; only of a graph that takes one.
    """

    def __init__(
        self,
        program: Path,
        device: str,
        threads: int,
        engine: str,
        precision: str = "fp32",
        *,
        trt: bool = False,
    ) -> None:
        self._program = program
        self._engine = ENGINE_NAMES[engine]
        with_trt = "trt" if trt else "no_trt"
        settings = [device, str(threads), engine, precision, with_trt]
        self._arguments = [str(program), *settings]
        self._largest = 0
        opened = self._start()
        self.scale: int = opened["scale"]
        self.device: str = opened["device"]
        if opened["num_state"]:
            self.num_state: int = opened["num_state"]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the upscaled images.

        Raises:
            UserError: the graph cannot be run on them; others may still be upscaled.
            MemoryError: they do not fit.
        """
        (upscaled,) = self._answers(images)
        return upscaled

    def step(
        self,
        frame: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
        state: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return an upscaled frame, and the state for the one after it; see runner.py.

        Raises:
            UserError: the graph cannot be run on them.
            MemoryError: they do not fit.
        """
        result, next_state = self._answers(frame, before, after, state)
        if next_state.shape != state.shape:
            raise UserError(
                f"{self._program}: makes a state {next_state.shape} of one "
                f"{state.shape}; that of an upscaler keeps its shape"
            )
        return result, next_state

    def _answers(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Return what the other process makes of arrays, the images first."""
        if self._worker.ended:
            self._start()
        images = arrays[0]
        with self._exchange(f"on {images.shape}"):
            with suppress(BrokenPipeError):  # it has ended; why is found next
                send_arrays(self._worker.images, *arrays)
            answer = receive(self._worker.answers)
            if "shapes" in answer:
                height, width = images.shape[-2:]
                self._largest = max(self._largest, height * width)
                return receive_arrays(self._worker.answers, answer["shapes"])
        raise _error(answer)

    @property
    def bytes_per_pixel(self) -> float:
        """Memory for each pixel of the largest image so far [bytes], on Linux.

        A small image is run if there was none of its size.
        """
        if self._largest < PROBE**2:
            probe = np.zeros((1, 3, PROBE, PROBE), np.float32)
            self(probe)
        _, peak = self._worker.memory()
        if not peak:
            return GRAPH_BYTES
        taken = peak - self._resident
        return taken / self._largest

    def _start(self) -> dict[str, Any]:
        """Start the process; return what it says of the graph that it has loaded."""
        self._worker = _Worker(self._arguments)
        with self._exchange("on (1, 3, 4, 4)"):
            answer = receive(self._worker.answers)
        self._resident, _ = self._worker.memory()
        self._largest = 0
        if "scale" not in answer:
            self._worker.end()
            raise _error(answer)
        return answer

    @contextmanager
    def _exchange(self, doing: str) -> Iterator[None]:
        """End the process unless the block reads its whole answer.

        The rest would be read as the next answer.
        """
        is_whole = False
        try:
            yield
            is_whole = True
        except EOFError as error:
            raise self._death(doing) from error
        finally:
            if not is_whole:
                self._worker.end()

    def _death(self, doing: str) -> Exception:
        """Return the error for a process that has ended without an answer."""
        code, messages = self._worker.last_words()
        if code == PYTHON_ERROR:
            return RuntimeError(f"the graph's process failed:\n{messages}")

        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if cause == "SIGKILL":
            return MemoryError("the system ended the graph's process")
        if cause == "SIGXCPU":
            cause = f"more than {TRIAL_SECONDS} s of CPU time"
        return UserError(
            f"{self._program}: {self._engine} failed {doing} ({cause}); the graph is "
            f"damaged, or not of this {self._engine}'s version; {EXPORT_FIRST}"
        )


def _error(answer: dict[str, Any]) -> Exception:
    """Return the error that an answer tells of."""
    kind = MemoryError if answer.get("memory") else UserError
    return kind(answer["error"])


class _Worker:
    """A process that runs graph_worker.py; it ends with this object.

    Attributes:
        images: what it reads.
        answers: what it writes.
        ended: whether `end` was called.
    """

    def __init__(self, arguments: list[str]) -> None:
        search_path = os.pathsep.join(path for path in sys.path if path)
        environment = {**os.environ, "PYTHONPATH": search_path}
        # A signal between the folder and who removes it would leave the folder.
        with defer_interrupts():
            # For its standard error, and for its own temporary files: it may not be
            # able to remove them.
            self._folder = tempfile.TemporaryDirectory(prefix="graph_")
            self._messages = Path(self._folder.name, "messages.txt")
            environment["TMPDIR"] = self._folder.name
            with self._messages.open("wb") as messages:
                self._process = subprocess.Popen(
                    [sys.executable, graph_worker.__file__, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=messages,
                    env=environment,
                )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self.images = self._process.stdin
            self.answers = self._process.stdout
            self.ended = False
            self._finalizer = weakref.finalize(
                self, _end, self._process, self._folder, self.images, self.answers
            )

    def memory(self) -> tuple[int, int]:
        """Return its memory now and at most [bytes]; zeros where there is no /proc."""
        status = Path(f"/proc/{self._process.pid}/status")
        sizes = {"VmRSS": 0, "VmHWM": 0}
        for line in status.read_text().splitlines() if status.exists() else []:
            name, _, value = line.partition(":")
            if name in sizes:
                sizes[name] = int(value.split()[0]) * 1024
        return sizes["VmRSS"], sizes["VmHWM"]

    def last_words(self) -> tuple[int, str]:
        """Return the exit code and the standard error of a process that has ended."""
        code = self._process.wait()
        messages = self._messages.read_text(errors="replace")
        self.end()
        return code, messages

    def end(self) -> None:
        """End the process."""
        self.ended = True
        self._finalizer()


def _end(
    process: "subprocess.Popen[bytes]",
    folder: "tempfile.TemporaryDirectory[str]",
    *pipes: IO[bytes],
) -> None:
    """Kill a process, whatever it is doing, and remove its files."""
    with defer_interrupts():
        process.kill()
        process.wait()
        for pipe in pipes:
            with suppress(OSError):  # what it did not read is lost
                pipe.close()
        folder.cleanup()


def load_static(
    model: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: str = "fp32",
    trt: bool = False,
) -> GraphRunner:
    """Return a runner of an exported graph; on a CPU it computes with oneDNN.

    Args:
        model: a folder with inference.pdmodel and inference.pdiparams, or a `.pdmodel`
            file with its `.pdiparams` beside it. Any Paddle may have written them.
        device: "auto", "cpu" or "gpu".
        threads: CPU threads; None: all cores of this process.
        precision: "fp32"; "bf16" on a CPU, "fp16" on a GPU.
        trt: run it with TensorRT, on a GPU.

    Raises:
        UserError: a file is missing or damaged, the graph is no upscaler, it has
            operators that no upscaler needs, or it crashes Paddle.
    """
    require_paddle()
    if threads is not None and threads < 1:
        raise UserError(f"threads {threads}: must be 1 or more")
    if device not in DEVICES:
        raise UserError(f"device {device!r}: known are {', '.join(DEVICES)}")
    program, _ = exported_files(Path(model))
    threads = threads or core_count()
    return GraphRunner(program, device, threads, "paddle", precision, trt=trt)
