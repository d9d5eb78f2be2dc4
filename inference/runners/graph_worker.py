"""The process that `graph_process.py` starts: it runs one exported graph, and may crash.

    python graph_worker.py PROGRAM DEVICE THREADS ENGINE PRECISION trt|no_trt

It says what it has loaded, and then, until its input ends, answers an array of images with
the upscaled ones, and the four arrays of a step (see runner.py) with its two results.

Lines and arrays pass between the two: a line is JSON, arrays are preceded by a line with
their shapes. Nothing is pickled, because whoever reads a pickle runs what is in it.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, NoReturn

import numpy as np

from realesrgan_paddle.inference.graph.exported_files import EXPORT_FIRST
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.machine.memory import addresses_left
from realesrgan_paddle.utils.signals import wait_for_end_of

if TYPE_CHECKING:
    from realesrgan_paddle.inference.runners.graph_in_process import GraphInProcess

TRIAL_BYTES = 3 << 29
"""Memory for a graph's first image, of 4x4 pixels, besides three times its weights.

RealESRGAN_x4plus takes 0.2 GB. A forged graph may ask for hundreds of GB.
"""
TRIAL_SECONDS = 20
"""CPU time for that: RealESRGAN_x4plus takes 0.7 s."""
STATUS = Path("/proc/self/status")


def send(pipe: IO[bytes], **fields: Any) -> None:
    """Write one line."""
    pipe.write(json.dumps(fields).encode() + b"\n")
    pipe.flush()


def receive(pipe: IO[bytes]) -> dict[str, Any]:
    """Return the fields of the next line; EOFError if the other side has ended."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return json.loads(line)


def send_arrays(pipe: IO[bytes], *arrays: np.ndarray) -> None:
    """Write arrays as float32."""
    whole = [np.ascontiguousarray(array, np.float32) for array in arrays]
    send(pipe, shapes=[array.shape for array in whole])
    for array in whole:
        flat = array.reshape(-1)
        pipe.write(flat.view(np.uint8).data)
    pipe.flush()


def receive_arrays(pipe: IO[bytes], shapes: list[list[int]]) -> list[np.ndarray]:
    """Return the arrays of these shapes behind their line; EOFError if one is not whole."""
    arrays = []
    for shape in shapes:
        array = np.empty(shape, np.float32)
        buffer = array.reshape(-1).view(np.uint8)
        if pipe.readinto(buffer) < buffer.size:  # type: ignore[attr-defined]
            raise EOFError
        arrays.append(array)
    return arrays


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    images_in = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # for what Paddle prints

    # EOFError: the parent is gone, for it kills a process that it needs no more.
    with suppress(EOFError), _errors_sent(answers):
        runner = _load(*sys.argv[1:])
        num_state = getattr(runner, "num_state", 0)
        send(answers, scale=runner.scale, device=runner.device, num_state=num_state)
        while True:
            arrays = receive_arrays(images_in, receive(images_in)["shapes"])
            with _errors_sent(answers):
                if len(arrays) == 1:
                    send_arrays(answers, runner(*arrays))
                else:
                    send_arrays(answers, *runner.step(*arrays))
    _end()


def _end_with(parent: int) -> None:
    """End this process when its parent was killed, also in the middle of an image."""
    wait_for_end_of(parent)
    _end()


def _end() -> NoReturn:
    """Remove the folder that the parent made for this process, and end it."""
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os._exit(1)


@contextmanager
def _errors_sent(answers: IO[bytes]) -> Iterator[None]:
    """Answer with what goes wrong in the block, if it has to do with graph or images."""
    try:
        yield
    except UserError as error:
        send(answers, error=str(error))
    except MemoryError:
        send(answers, error="out of memory", memory=True)


def _load(
    program: str, device: str, threads: str, engine: str, precision: str, trt: str
) -> "GraphInProcess":
    """Return a runner that has run once."""
    path = Path(program)
    if path.suffix == ".pdmodel":
        start_paddle()
        weights = path.with_suffix(".pdiparams")
    else:
        weights = path
    most_bytes = TRIAL_BYTES + 3 * weights.stat().st_size
    has_room = addresses_left() > most_bytes  # within ulimit -v
    with limited(most_bytes, TRIAL_SECONDS):
        if engine == "openvino":
            from realesrgan_paddle.inference.runners import onnx_runners

            return onnx_runners.OpenVinoRunner(path, precision, int(threads))
        if engine == "onnxruntime":
            from realesrgan_paddle.inference.runners import onnx_runners

            return onnx_runners.OnnxRuntimeRunner(path, int(threads))
        from realesrgan_paddle.inference.runners.static_runner import open_graph

        try:
            return open_graph(
                path,
                device=device,
                threads=int(threads),
                precision=precision,
                trt=trt == "trt",
            )
        except MemoryError as error:
            if not has_room:  # it is not what the graph asks for
                raise
            raise UserError(
                f"{path} or {weights.name} is damaged: it asks for too much memory for "
                f"4x4 pixels; {EXPORT_FIRST}"
            ) from error


@contextmanager
def limited(most_bytes: int, seconds: int) -> Iterator[None]:
    """Bound memory and CPU time in the block, on Linux."""
    if find_spec("resource") is None or not STATUS.exists():
        yield
        return
    import resource

    spent = resource.getrusage(resource.RUSAGE_SELF)
    limits = {
        resource.RLIMIT_DATA: _data_bytes() + most_bytes,
        resource.RLIMIT_CPU: int(spent.ru_utime + spent.ru_stime) + seconds,
    }
    before = {kind: resource.getrlimit(kind) for kind in limits}
    for kind, limit in limits.items():
        # One that the user has set stays where it is lower.
        granted = [limit, *(x for x in before[kind] if x != resource.RLIM_INFINITY)]
        resource.setrlimit(kind, (min(granted), before[kind][1]))
    try:
        yield
    finally:
        for kind, both in before.items():
            resource.setrlimit(kind, both)


def _data_bytes() -> int:
    """Return what RLIMIT_DATA counts of this process [bytes]."""
    lines = STATUS.read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith("VmData:"))
    return int(size) * 1024


if __name__ == "__main__":
    main()
