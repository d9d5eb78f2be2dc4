"""Check and time everything that has to work on a GPU; about ten minutes.

    python benchmarks/gpu_check.py                      # where paddlepaddle-gpu is installed
    python benchmarks/gpu_check.py --torch_python PYTHON  # beside torch and spandrel
    python benchmarks/gpu_check.py --smallest           # the same, tiny, on any machine

Prints a table, then what has failed; exits with 1 if anything has. Each check is a process
of its own: one that crashes costs only itself. See docs/gpu.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np

from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.machine.devices import cpu_name

HERE = Path(__file__).parent
ROOT = HERE.parent
LIMIT_S = 240
"""What one check may take [seconds]."""
REFERENCES = (
    "tests/networks/test_networks.py",
    "tests/degradation/test_degradation.py",
    "tests/degradation/test_jpeg.py",
    "tests/loss/test_losses.py",
)
"""Tests that compare with arrays that torch and BasicSR computed."""
NO_TF32 = {"NVIDIA_TF32_OVERRIDE": "0"}
"""They are compared in float32, as they were recorded."""


class CheckError(Exception):
    """A check failed; the message says how."""


class Table:
    """Rows, printed as they come, and what failed.

    Attributes:
        failed: a line for each check that failed.
        device: Paddle's name of what it computes on.
        seconds: what the last check that passed has taken.
    """

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.device = ""
        self.seconds = 0.0

    def row(self, name: str, result: str) -> None:
        """Print a row."""
        print(f"{name:44}  {result}", flush=True)

    def check(
        self,
        name: str,
        command: Sequence[object],
        environment: dict[str, str] | None = None,
    ) -> str:
        """Run a command; return its output, "" where it failed."""
        start = time.perf_counter()
        try:
            output = run(command, environment or {})
        except CheckError as failure:
            self.failed.append(f"{name}: {failure}")
            self.row(name, "FAILED")
            return ""
        self.seconds = time.perf_counter() - start
        return output


def run(command: Sequence[object], environment: dict[str, str]) -> str:
    """Return what a command prints.

    Raises:
        CheckError: it ends with an error, or not within `LIMIT_S`.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except OSError as error:
        raise CheckError(f"{words[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise CheckError(f"took more than {LIMIT_S} s") from None
    if done.returncode:
        *_, last = ["no message", *(done.stdout + done.stderr).strip().splitlines()]
        raise CheckError(f"exit code {done.returncode}: {last}")
    return done.stdout


def timed_jobs(smallest: bool) -> Iterator[dict]:
    """Yield the jobs of gpu_paddle.py and gpu_torch.py: x4plus, or one block of it."""
    if smallest:
        common = {"blocks": 1, "batch": 1, "side": 16, "rounds": 1}
        for kind in ("train", "infer"):
            yield {**common, "kind": kind, "precision": "float32"}
        return
    for precision in ("float32", "bfloat16", "float16"):
        for batch in (12, 48):
            yield {
                **{"kind": "train", "blocks": 23, "batch": batch, "side": 64},
                **{"rounds": 10, "precision": precision},
            }
        yield {
            **{"kind": "infer", "blocks": 23, "batch": 1, "side": 256},
            **{"rounds": 20, "precision": precision},
        }
    # So little arithmetic that what takes time is the host: Python and starting kernels.
    yield {
        **{"kind": "train", "blocks": 23, "batch": 1, "side": 8},
        **{"rounds": 20, "precision": "float32"},
    }


def describe(job: dict) -> str:
    """Return the name of a timed job's row."""
    host = " (host time)" if job["side"] == 8 else ""
    return (
        f"{job['kind']} {job['blocks']} blocks, {job['batch']} x {job['side']} px, "
        f"{job['precision']}{host}"
    )


def numbers(output: str) -> dict:
    """Return the JSON of the last line of an output."""
    return json.loads(output.strip().splitlines()[-1])


def time_networks(table: Table, smallest: bool, torch_python: str | None) -> None:
    """Time training steps and inference, beside torch if it is given."""
    for job in timed_jobs(smallest):
        name = describe(job)
        ours = table.check(
            name, [sys.executable, HERE / "gpu_paddle.py", json.dumps(job)]
        )
        if not ours:
            continue
        cells = [f"{key} {value:.4g}" for key, value in numbers(ours).items()]
        if torch_python:
            command = [torch_python, HERE / "gpu_torch.py", json.dumps(job)]
            theirs = table.check(f"{name}, torch", command)
            if theirs:
                ratio = numbers(ours)["ms"] / numbers(theirs)["ms"]
                cells.append(f"torch ms {numbers(theirs)['ms']:.4g} ({ratio:.2f} x)")
        table.row(name, "  ".join(cells))


def write_pictures(folder: Path, count: int, side: int) -> None:
    """Write pictures of noise with some structure."""
    random = np.random.default_rng(0)
    for i in range(count):
        coarse = random.integers(0, 256, (side // 8, side // 8, 3))
        image = coarse.repeat(8, 0).repeat(8, 1) + random.integers(
            -20, 21, (side, side, 3)
        )
        write_image(folder / f"{i}.png", np.uint8(image.clip(0, 255)))


def write_clip(path: Path, frames: int, width: int, height: int) -> None:
    """Write a clip of moving stripes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", 25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        columns = np.arange(width)
        for number in range(frames):
            row = np.uint8(127 + 120 * np.sin((columns + 3 * number) / 5))
            image = np.broadcast_to(row[None, :, None], (height, width, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def train_whole(table: Table, work: Path, smallest: bool) -> None:
    """Train from files: the smoke run, and x4plus with its workers and degradation."""
    train = [sys.executable, ROOT / "train.py", "--yml_path"]
    where = [
        f"datasets.train.dataroot_gt={work / 'hr'}",
        f"path.experiments_root={work}",
    ]
    if table.check(
        "smoke GAN run", [*train, ROOT / "options/smoke_cpu.yml", *where, "name=smoke"]
    ):
        table.row("smoke GAN run", f"{table.seconds:.0f} s")
    if smallest:
        return

    options = [
        *(ROOT / "options/train_realesrgan_x4plus.yml", *where, "name=x4plus"),
        *("train.perceptual_opt=null", "path.pretrain_network_g=null"),
        *("datasets.train.meta_info=null", "train.total_iter=60", "queue_size=12"),
        *("logger.print_freq=20", "logger.save_checkpoint_freq=60", "val.hold_out=0"),
        *("use_amp=true", "amp_bf16=true"),
    ]
    name = "train.py, x4plus, batch 12, bf16"
    if table.check(name, [*train, *options]):
        lines = (work / "x4plus/metrics.jsonl").read_text().splitlines()
        last = json.loads(lines[-1])
        wait = last.get("data_wait")
        table.row(name, f"images/s {last.get('images_per_s')}  data wait {wait}")


def upscale_clip(table: Table, work: Path, smallest: bool) -> None:
    """Export the network of the smoke run and upscale a whole video with it."""
    frames, size = (6, (64, 48)) if smallest else (100, (640, 360))
    write_clip(work / "clip.mp4", frames, *size)
    tools, graph = ROOT / "tools", work / "infer"
    weights = work / "smoke/models/net_g_latest.pdparams"
    export = [sys.executable, tools / "export_model.py", "--model_dir", weights]
    if not table.check("export", [*export, "--save_inference_dir", graph]):
        return
    on_gpu = "gpu" in table.device
    for precision in ("fp32", "fp16") if on_gpu else ("fp32",):
        name = f"video, {frames} frames of {size[0]}x{size[1]}, {precision}"
        infer = [sys.executable, tools / "infer.py", "--input", work / "clip.mp4"]
        infer += ["--output", work / precision, "--model_path", graph]
        infer += ["--precision", precision]
        if table.check(name, [*infer, *(["--device", "gpu"] if on_gpu else [])]):
            table.row(name, f"{table.seconds:.1f} s with the start of the command")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--smallest",
        action="store_true",
        help="tiny networks and inputs: tests this program, on a machine without a GPU too",
    )
    parser.add_argument(
        "--torch_python",
        metavar="PYTHON",
        help="interpreter with torch and spandrel, to compare with",
    )
    args = parser.parse_args()

    table = Table()
    job = json.dumps({"kind": "device"})
    found = table.check("device", [sys.executable, HERE / "gpu_paddle.py", job])
    if not found:
        sys.exit(f"Paddle does not start: {table.failed[0]}")
    table.device = numbers(found)["device"]
    table.row("device", "  ".join(f"{k} {v}" for k, v in numbers(found).items()))
    table.row("processor", f"{cpu_name()}, {os.cpu_count()} cores")
    if "gpu" not in table.device and not args.smallest:
        sys.exit("Paddle sees no GPU: see docs/gpu.md; --smallest runs on a CPU")

    with tempfile.TemporaryDirectory(prefix="gpu_check_") as folder:
        work = Path(folder)
        write_pictures(work / "hr", 4 if args.smallest else 16, 512)
        train_whole(table, work, args.smallest)
        upscale_clip(table, work, args.smallest)
        time_networks(table, args.smallest, args.torch_python)
        tests = REFERENCES[:1] if args.smallest else REFERENCES
        name = f"reference arrays, {len(tests)} files of tests"
        pytest = [sys.executable, "-m", "pytest", "-n", "0", "-q", *tests]
        if table.check(name, pytest, NO_TF32):
            table.row(name, f"equal, {table.seconds:.0f} s")

    for failure in table.failed:
        print(f"failed: {failure}")
    print(f"{len(table.failed)} checks failed" if table.failed else "all checks passed")
    sys.exit(1 if table.failed else 0)


if __name__ == "__main__":
    main()
