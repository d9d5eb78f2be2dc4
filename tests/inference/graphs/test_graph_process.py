"""An exported graph runs in a process of its own: what that one dies of is a line here."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.base.proto import framework_pb2
from places import ROOT
from sample_runs import wait_until
from sample_weights import sample_weights

from realesrgan_paddle.inference import export as export_module
from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.pictures.upscale_files import upscale_files
from realesrgan_paddle.inference.runners import graph_worker
from realesrgan_paddle.inference.runners.graph_process import GraphRunner, load_static
from realesrgan_paddle.inference.runners.graph_worker import STATUS, limited
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image

pytestmark = pytest.mark.paddle

SPEC = SRVGGNetCompact(num_feat=8, num_conv=1, upscale=2)
WORKER = """
import os, signal, sys, time
from contextlib import suppress
from realesrgan_paddle.inference.runners.graph_worker import *
sys.stderr.write("terminate called\\n")
{load}
send(sys.stdout.buffer, scale=1, device="cpu", num_state={num_state})
with suppress(EOFError):
    while True:
        images, *beside = receive_arrays(
            sys.stdin.buffer, receive(sys.stdin.buffer)["shapes"]
        )
        width = images.shape[-1]
        {run}
        send_arrays(sys.stdout.buffer, images, *beside[2:])
"""
"""A process that answers as graph_worker.py does, without Paddle."""
CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"


@pytest.fixture
def damaged(tmp_path):
    """Return the folder of a graph that crashes Paddle: it uses an undeclared tensor."""
    export(SPEC, sample_weights(SPEC), tmp_path / "infer")
    program = tmp_path / "infer" / "inference.pdmodel"
    graph = framework_pb2.ProgramDesc.FromString(program.read_bytes())
    convolution = next(op for op in graph.blocks[0].ops if op.type == "conv2d")
    (filters,) = (slot for slot in convolution.inputs if slot.parameter == "Filter")
    filters.arguments[0] += "x"
    program.write_bytes(graph.SerializeToString())
    (program.parent / "inference.yml").unlink()
    return program.parent


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return a function that starts a runner with a worker of few lines."""

    def with_worker(load="", run="pass", engine="paddle", num_state=0):
        path = tmp_path / "worker.py"
        path.write_text(WORKER.format(load=load, run=run, num_state=num_state))
        monkeypatch.setattr(graph_worker, "__file__", str(path))
        return GraphRunner(Path("x.pdmodel"), "cpu", 1, engine)

    return with_worker


def images(width=4):
    return np.random.default_rng(0).random((1, 3, 4, width), np.float32)


def test_a_graph_that_crashes_paddle_is_one_line_and_exit_code_1(damaged, tmp_path):
    picture = tmp_path / "a.png"
    write_image(picture, np.zeros((4, 4, 3), np.uint8))
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "tools/infer.py",
            *(
                "--input",
                picture,
                "--model_path",
                damaged,
                "--output",
                tmp_path / "out",
            ),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {damaged}/inference.pdmodel: Paddle failed")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the parent's number")
def test_a_killed_command_leaves_neither_process_nor_folder(tmp_path):
    export(SPEC, sample_weights(SPEC), tmp_path / "infer")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    code = (
        "import os, signal, sys\n"
        "from realesrgan_paddle.inference.runners.graph_process import load_static\n"
        "runner = load_static(sys.argv[1])\n"
        "assert os.listdir(os.environ['TMPDIR'])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "infer"],
        env=os.environ | {"TMPDIR": str(temporary)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: not any(temporary.iterdir()))


@pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")
def test_a_signal_while_the_process_is_ended_leaves_no_folder(tmp_path):
    export(SPEC, sample_weights(SPEC), tmp_path / "infer")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    code = (
        "import os, signal, sys, tempfile\n"
        "from realesrgan_paddle.inference.runners.graph_process import load_static\n"
        "from realesrgan_paddle.utils.signals import exit_in_callback\n"
        "sys.unraisablehook = exit_in_callback\n"
        "runner = load_static(sys.argv[1])\n"
        "remove = tempfile.TemporaryDirectory.cleanup\n"
        "def interrupted(folder):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    remove(folder)\n"
        "tempfile.TemporaryDirectory.cleanup = interrupted\n"
        "del runner\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "infer"],
        env=os.environ | {"TMPDIR": str(temporary)},
        check=False,
    )
    assert done.returncode == 128 + signal.SIGINT
    assert not any(temporary.iterdir())


def test_a_crash_on_one_image_leaves_the_others(start, tmp_path):
    runner = start(run=f"width == 8 and {CRASH}")
    for width in (4, 8, 12):
        picture = np.full((4, width, 3), 9, np.uint8)
        write_image(tmp_path / f"{width}.png", picture)
    paths = [tmp_path / f"{width}.png" for width in (4, 8, 12)]

    lines = []
    failures = upscale_files(
        Upscaler(runner, 1), paths, tmp_path / "out", report=lines.append
    )
    assert failures.keys() == {tmp_path / "8.png"}
    assert "Paddle failed on (1, 3, 4, 8) (SIGSEGV)" in failures[tmp_path / "8.png"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "4_out.png",
        "12_out.png",
    }


def test_images_come_back_as_they_went(start):
    runner = start()
    for width in (4, 300, 5):
        assert np.array_equal(runner(images(width)), images(width))


def test_what_ended_the_process_is_told(start):
    with pytest.raises(UserError, match=r"x.pdmodel: Paddle failed .*\(SIGSEGV\)"):
        start(load=CRASH)
    with pytest.raises(UserError, match=r"OpenVINO failed .*\(SIGSEGV\)"):
        start(load=CRASH, engine="openvino")
    with pytest.raises(UserError, match="more than 20 s of CPU time"):
        start(load="os.kill(os.getpid(), signal.SIGXCPU)")
    with pytest.raises(MemoryError):
        start(load="os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(UserError, match=r"exit code 3"):
        start(load="os._exit(3)")
    with pytest.raises(RuntimeError, match=r"(?s)terminate called.*ZeroDivisionError"):
        start(load="1 / 0")
    with pytest.raises(MemoryError):
        start(run="send(sys.stdout.buffer, error='of memory', memory=True)")(images())


def test_the_process_ends_with_its_runner_even_while_it_computes(start):
    runner = start(run="time.sleep(60)")
    process = runner._worker._process
    folder = Path(runner._worker._folder.name)
    runner._worker.images.write(b'{"shapes": [[1, 3, 4, 4]]}\n' + bytes(192))
    runner._worker.images.flush()

    started = time.perf_counter()
    del runner
    gc.collect()
    assert process.poll() is not None
    assert time.perf_counter() - started < 5
    assert not folder.exists()


@pytest.mark.skipif(not STATUS.exists(), reason="limits are set on Linux only")
def test_memory_is_bounded_while_a_graph_is_tried_and_no_longer():
    # More than the process can have kept of what it has freed.
    size = 1 << 32
    with pytest.raises(MemoryError), limited(size, seconds=60):
        np.empty(2 * size, np.uint8)
    assert np.empty(2 * size, np.uint8).nbytes == 2 * size


class Greedy(nn.Layer):
    """Takes 16 GB for any image."""

    def __init__(self):
        super().__init__()
        self.gain = self.create_parameter([1])  # Paddle 2 saves none without weights

    def forward(self, image):
        return image * self.gain * paddle.full([1 << 32], 0.5).max()


@pytest.mark.slow
def test_a_graph_that_asks_for_all_memory_is_refused(tmp_path):
    shape = paddle.static.InputSpec([-1, 3, -1, -1], name="x")
    layer = Greedy()
    with export_module._old_ir():
        paddle.jit.save(layer, str(tmp_path / "inference"), input_spec=[shape])
    with pytest.raises(UserError, match=r"too much memory for 4x4 pixels"):
        load_static(tmp_path)


@pytest.mark.skipif(not Path("/proc").exists(), reason="memory is read from /proc")
def test_a_graphs_memory_is_measured_with_a_small_image(start):
    runner = start(run="taken = None; taken = b'1' * (5000 * images.shape[2] * width)")
    assert 5000 < runner.bytes_per_pixel < 6000

    larger = np.zeros((1, 3, 150, 150), np.float32)
    runner(larger)
    assert 5000 < runner.bytes_per_pixel < 6000, "what it keeps is counted as well"


def test_a_state_goes_there_and_comes_back(start):
    runner = start(num_state=2)
    assert runner.num_state == 2
    frame = images(6)[0]
    states = np.random.default_rng(1).random((3, 2, 4, 6), np.float32)
    for state in states:
        result, next_state = runner.step(frame, frame, frame, state)
        assert np.array_equal(result, frame)
        assert np.array_equal(next_state, state)
    assert np.array_equal(runner(images()), images())
    assert not hasattr(start(), "num_state")


def test_a_state_of_another_shape_is_one_line(start):
    runner = start(num_state=2, run="beside[2:] = [part[:, :2] for part in beside[2:]]")
    frame, state = images(6)[0], np.zeros((2, 4, 6), np.float32)
    with pytest.raises(
        UserError, match=r"makes a state \(2, 2, 6\) of one \(2, 4, 6\)"
    ):
        runner.step(frame, frame, frame, state)
