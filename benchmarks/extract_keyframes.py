"""Time the extraction of key frames against `ffmpeg -skip_frame nokey`.

Both write PNG files and are run in turns on a full-HD clip with a key frame each
second: ffmpeg's test images, or `--video`, repeated `--loops` times. The first row
keeps all frames, so both write the same number; the second selects, as users do. Times
are minima over the rounds; `ratio` is the rate of ours to ffmpeg's, by the clock and by
the time on all CPUs. The last row is the peak memory in MB of our process (of ffmpeg's,
if it is larger) for the clip once, 4 and 16 times.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from realesrgan_paddle.utils.ffmpeg import find_ffmpeg

TOOL = Path(__file__).resolve().parents[1] / "tools/extract_keyframes.py"
# Each command is run by a process of its own, whose children's peak memory is that of
# the command and what it starts.
WATCH = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(code)
"""


class Figures(NamedTuple):
    """What a command took."""

    seconds: float
    cpu_seconds: float
    peak_mb: int


def run(command: list[str | Path]) -> Figures:
    """Run a command and return what it took, on all CPUs."""
    watched = [sys.executable, "-c", WATCH, *command]
    cpu_before, start = children_cpu_seconds(), time.perf_counter()
    peak = subprocess.run(watched, check=True, stdout=subprocess.PIPE).stdout
    seconds = time.perf_counter() - start
    return Figures(seconds, children_cpu_seconds() - cpu_before, int(peak))


def children_cpu_seconds() -> float:
    """Return the CPU time of all processes that were started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def make_clip(path: Path, seconds: int) -> Path:
    """Write a clip of a zooming Mandelbrot set and noise, 1920x1080."""
    source = "mandelbrot=size=1920x1080:rate=10"
    source = f"{source},noise=alls=6:allf=t,trim=duration={seconds}"
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "23"]
    codec += ["-g", "10", "-pix_fmt", "yuv420p"]
    ffmpeg("-f", "lavfi", "-i", source, *codec, path)
    return path


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg."""
    subprocess.run([find_ffmpeg(), "-v", "error", *arguments], check=True)


def extract(video: Path, output: Path, flags: list[str]) -> Figures:
    """Extract into an empty folder, which is removed, and return what that took."""
    figures = run([sys.executable, TOOL, "--input", video, "--output", output, *flags])
    for folder in (output, output.with_name(f"{output.name}_sheet")):
        shutil.rmtree(folder)
    return figures


def extract_with_ffmpeg(video: Path, folder: Path) -> Figures:
    """Write the key frames of a video with ffmpeg alone; return what that took."""
    folder.mkdir()
    decode = [find_ffmpeg(), "-v", "error", "-skip_frame", "nokey", "-i", video]
    figures = run([*decode, "-fps_mode", "passthrough", folder / "%06d.png"])
    shutil.rmtree(folder)
    return figures


def repeated(video: Path, times: int, path: Path) -> Path:
    """Write the frames of a video several times over, without encoding them again."""
    loop = ("-stream_loop", str(times - 1))
    ffmpeg("-y", *loop, "-i", video, "-map", "0:v", "-c", "copy", path)
    return path


def minima(rounds: list[Figures]) -> Figures:
    """Return the smallest of each figure."""
    return Figures(*(min(column) for column in zip(*rounds, strict=True)))


def report(way: str, ours: Figures, reference: Figures) -> None:
    """Print how one way to extract compares with ffmpeg."""
    row = {
        "frames": way,
        "seconds": round(ours.seconds, 2),
        "ratio": round(reference.seconds / ours.seconds, 2),
        "cpu_ratio": round(reference.cpu_seconds / ours.cpu_seconds, 2),
    }
    print(json.dumps(row), flush=True)


def main() -> None:
    """Print a row of JSON for each way to extract, and one for memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    flag = parser.add_argument
    flag("--video", type=Path, help="a video instead of the synthetic clip")
    flag("--seconds", type=int, default=40, help="length of the synthetic clip")
    flag("--loops", type=int, default=1, help="repeat the clip: longer times vary less")
    flag("--rounds", type=int, default=3)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        clip = args.video or make_clip(work / "clip.mp4", args.seconds)
        video = repeated(clip, args.loops, work / f"looped{clip.suffix}")

        # In turns, so that a change of the machine's load meets all of them.
        by_ffmpeg, all_frames, selected = [], [], []
        for _ in range(args.rounds):
            by_ffmpeg.append(extract_with_ffmpeg(video, work / "frames"))
            all_frames.append(extract(video, work / "set", ["--keep_all"]))
            selected.append(extract(video, work / "set", []))
        reference = minima(by_ffmpeg)
        report("all", minima(all_frames), reference)
        report("selected", minima(selected), reference)

        peaks = {}
        for loops in (1, 4, 16):
            longer = repeated(clip, loops, video)
            peaks[loops] = extract(longer, work / "set", ["--keep_all"]).peak_mb
        print(json.dumps({"peak_mb": peaks}))


if __name__ == "__main__":
    main()
