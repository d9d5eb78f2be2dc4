"""Memory of whole videos of 1280x720, from ten seconds to ten minutes.

    python benchmarks/video/memory.py --seconds 10 60 600

The clips are made by ffmpeg: a test picture that moves, noise, and a sound. The network
changes nothing, at scale 1, so that all memory but a network's is seen, and many frames pass.
Each video is upscaled in a process of its own, whose resident memory is read twice a second.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg

BETWEEN = 0.5
"""Seconds between two readings."""


def main() -> None:
    """Print a table, or with --video the readings of one video as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, nargs="+", default=[10, 60, 600])
    parser.add_argument("--video", type=Path)
    args = parser.parse_args()
    if args.video is not None:
        print(json.dumps(measure(args.video)))
        return

    print(
        "| length | frames/s | peak MB | median of the last half MB |\n|--:|--:|--:|--:|"
    )
    for seconds in args.seconds:
        with tempfile.TemporaryDirectory() as folder:
            video = make(Path(folder, "clip.mp4"), seconds)
            command = [sys.executable, sys.argv[0], "--video", str(video)]
            done = subprocess.run(command, capture_output=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        readings = found["readings"]
        last = statistics.median(readings[len(readings) // 2 :])
        peak = max(readings)
        print(
            f"| {seconds} s | {found['rate']:.1f} | {peak:.0f} | {last:.0f} |",
            flush=True,
        )


def make(path: Path, seconds: int) -> Path:
    """Write a clip with a moving picture and a sound; return its path."""
    picture = f"testsrc2=s=1280x720:r=25:d={seconds},noise=alls=8:allf=t"
    sound = f"sine=frequency=440:duration={seconds}"
    command = [find_ffmpeg(), "-loglevel", "error", "-y"]
    command += ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "28", "-c:a", "aac"]
    subprocess.run([*command, str(path)], check=True)
    return path


def measure(video: Path) -> dict:
    """Return the resident memory while a video is upscaled [MB], and frames a second."""
    readings: list[float] = []
    ended = threading.Event()
    reader = threading.Thread(target=_read, args=(readings, ended))
    reader.start()

    settings = VideoSettings(preset="ultrafast", crf=28, no_reuse=True)
    target = video.with_name("result.mp4")
    outcome = Upscaler(_unchanged, 1).video(video, target, settings)
    ended.set()
    reader.join()
    return {"rate": outcome.frames / outcome.seconds.total, "readings": readings}


def _unchanged(images: np.ndarray) -> np.ndarray:
    return images


def _read(readings: list[float], ended: threading.Event) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    while not ended.is_set():
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        readings.append(pages * page / 1e6)
        time.sleep(BETWEEN)


if __name__ == "__main__":
    main()
