"""Time the extraction of key frames against `ffmpeg -skip_frame nokey`, which writes the same PNG files.

Both are run in turns on a clip of full HD with a key frame each second: test pictures of ffmpeg's, or `--video`. The
first row keeps all frames, so both write the same number; the second selects, as users do. Times are minima over the
rounds; `ratio` is the rate of ours to ffmpeg's, by the clock and by the time on all CPUs together. `peak_mb` is the
memory of our process (of ffmpeg's, if it is larger), for the clip and for one of twice its length.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from realesrgan_paddle.utils.ffmpeg import find_ffmpeg

TOOL = Path(__file__).resolve().parents[1] / "tools/extract_keyframes.py"
# A process of its own runs each command, so that the peak is of that command and those it starts.
WATCH = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024); sys.exit(code)"
)


def run(command: list[str | Path]) -> tuple[float, float, int]:
    """Return the seconds that a command takes by the clock and on all CPUs, and its peak memory in MB."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    peak = subprocess.run([sys.executable, "-c", WATCH, *command], check=True, stdout=subprocess.PIPE).stdout
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used, int(peak)


def make_clip(path: Path, seconds: int) -> Path:
    """Write a clip of a zooming Mandelbrot set and noise, 1920x1080."""
    picture = f"mandelbrot=size=1920x1080:rate=10,noise=alls=6:allf=t,trim=duration={seconds}"
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "23", "-g", "10", "-pix_fmt", "yuv420p")
    subprocess.run([find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", picture, *codec, path], check=True)
    return path


def ffmpeg_command(video: Path, folder: Path) -> list[str | Path]:
    """Return the command that writes the key frames of a video with ffmpeg alone."""
    folder.mkdir()
    decode = [find_ffmpeg(), "-v", "error", "-skip_frame", "nokey", "-i", video]
    return [*decode, "-fps_mode", "passthrough", folder / "%06d.png"]


def main() -> None:
    """Print a row of JSON for each way to extract."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, help="your own, with at least 30 key frames")
    parser.add_argument("--seconds", type=int, default=40, help="length of the clip that is made without --video")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        video = args.video or make_clip(work / "clip.mp4", args.seconds)
        twice = work / "twice.mp4"
        loop = [find_ffmpeg(), "-v", "error", "-stream_loop", "1", "-i", video, "-map", "0:v", "-c", "copy", twice]
        subprocess.run(loop, check=True)
        ways = {"all": ["--keep_all"], "selected": []}
        times: dict[str, list[tuple[float, float, int]]] = {way: [] for way in ("ffmpeg", *ways)}
        for number in range(args.rounds):
            times["ffmpeg"].append(run(ffmpeg_command(video, work / f"ffmpeg{number}")))
            for way, flags in ways.items():
                output = work / f"{way}{number}"
                times[way].append(run([sys.executable, TOOL, "--input", video, "--output", output, *flags]))
        for way, flags in ways.items():
            clock, cpu, peak = (min(column) for column in zip(*times[way], strict=True))
            reference = [min(column) for column in zip(*times["ffmpeg"], strict=True)]
            longer = run([sys.executable, TOOL, "--input", twice, "--output", work / f"{way}_twice", *flags])
            row = {"frames": way, "seconds": clock, "ratio": reference[0] / clock, "cpu_ratio": reference[1] / cpu}
            print(json.dumps({k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()}
                             | {"peak_mb": peak, "peak_mb_twice": longer[2]}))  # fmt: skip


if __name__ == "__main__":
    main()
