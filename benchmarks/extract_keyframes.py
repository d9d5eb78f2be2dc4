"""Time the extraction of key frames against `ffmpeg -skip_frame nokey`.

Both write PNG files, and are run in turns on each video: files given with `--video`, or
a full-HD clip of ffmpeg's test images with a key frame each second. A row of JSON for
each way to extract:

* `selected`: as users do, with `--val_share 0.1`: most frames are scored, not written;
* `all`: the same with limits that next to no frame falls under, so that both write the
  same frames, and copies, transitions, views and the passport are still looked for.

Times are minima over the rounds. `cpu_ratio` is ffmpeg's processor time to ours,
`ratio` the same by the clock. `start` is what we take on five frames of the
video, with one key frame, and `cpu_ratio_above_start` is the ratio of what either takes
beyond that, as for long videos. `peak_mb` is our process, or ffmpeg if that is larger.
`--loops 1 10` does all that with each video repeated so many times, so that memory can
be compared. `--stages` adds where our time goes; see footage/extraction_stages.py.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from realesrgan_paddle.utils.ffmpeg import find_ffmpeg

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools/extract_keyframes.py"
STAGES = ROOT / "benchmarks/footage/extraction_stages.py"

USUAL = ["--val_share", "0.1"]
KEEP = ["--window", "0", "--min_difference", "0.0001", "--min_sharpness", "0"]
KEEP += ["--min_contrast", "0", "--max_blockiness", "99", "--trust_sources"]
WAYS = {"selected": USUAL, "all": USUAL + KEEP}
"""Flags of each way to extract. A minimum difference of 0 would look for no copies."""

WATCH = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(code)
"""
"""Runs each command, so that the peak memory of its children is that of the command."""


class Figures(NamedTuple):
    """What a command took."""

    seconds: float
    cpu_seconds: float
    """On all CPUs."""
    peak_mb: int
    files: int
    """PNG files that it wrote."""


def run(command: list[str | Path], output: Path) -> Figures:
    """Run a command that writes frames into a folder; return what it took."""
    watched = [sys.executable, "-c", WATCH, *command]
    cpu_before, start = children_cpu_seconds(), time.perf_counter()
    peak = subprocess.run(watched, check=True, stdout=subprocess.PIPE).stdout
    seconds = time.perf_counter() - start

    cpu_seconds = children_cpu_seconds() - cpu_before
    files = len(list(output.rglob("*.png")))
    return Figures(seconds, cpu_seconds, int(peak), files)


def children_cpu_seconds() -> float:
    """Return the CPU time of all processes that were started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg."""
    subprocess.run([find_ffmpeg(), "-v", "error", "-y", *arguments], check=True)


def make_clip(path: Path, seconds: int) -> Path:
    """Write a clip of a zooming Mandelbrot set and noise, 1920x1080."""
    source = "mandelbrot=size=1920x1080:rate=10"
    source = f"{source},noise=alls=6:allf=t,trim=duration={seconds}"
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "23"]
    codec += ["-g", "10", "-pix_fmt", "yuv420p"]
    ffmpeg("-f", "lavfi", "-i", source, *codec, path)
    return path


def first_frames(video: Path, path: Path) -> Path:
    """Write five frames of the video, of which the first is a key frame."""
    codec = ["-c:v", "libx264", "-preset", "ultrafast"]
    ffmpeg("-i", video, "-map", "0:V:0", "-frames:v", "5", *codec, path)
    return path


def repeated(video: Path, times: int, path: Path) -> Path:
    """Write the frames of a video several times over, without encoding them again."""
    loop = ("-stream_loop", str(times - 1))
    ffmpeg(*loop, "-i", video, "-map", "0:V:0", "-c", "copy", path)
    return path


def extract(video: Path, output: Path, flags: list[str]) -> Figures:
    """Extract into an empty folder, which is removed, and return what that took."""
    command = [sys.executable, TOOL, "--input", video, "--output", output, *flags]
    command += ["--min_frames", "0"]  # ffmpeg writes key frames alone, too
    figures = run(command, output)
    for folder in (output, output.with_name(f"{output.name}_sheet")):
        shutil.rmtree(folder)
    return figures


def extract_with_ffmpeg(video: Path, folder: Path) -> Figures:
    """Write the key frames of a video with ffmpeg alone; return what that took."""
    folder.mkdir()
    decode = [find_ffmpeg(), "-v", "error", "-skip_frame", "nokey", "-i", video]
    # Some decoders, such as VP9's, skip nothing, and all frames would be written.
    chosen = ["-vf", "select=key", "-fps_mode", "passthrough"]
    figures = run([*decode, *chosen, folder / "%06d.png"], folder)
    shutil.rmtree(folder)
    return figures


def minima(rounds: list[Figures]) -> Figures:
    """Return the smallest of each figure."""
    return Figures(*(min(column) for column in zip(*rounds, strict=True)))


def ratio(reference: float, ours: float) -> float:
    """Return the speed of ours in that of the reference, from the times of both."""
    return round(reference / ours, 2)


def measure(video: Path, work: Path, rounds: int) -> dict[str, Figures]:
    """Return what ffmpeg and each of `WAYS` take, run in turns."""
    # In turns, so that a change of the machine's load meets all of them.
    taken: dict[str, list[Figures]] = {"ffmpeg": [], **{way: [] for way in WAYS}}
    for _ in range(rounds):
        taken["ffmpeg"].append(extract_with_ffmpeg(video, work / "frames"))
        for way, flags in WAYS.items():
            taken[way].append(extract(video, work / "set", flags))
    return {name: minima(figures) for name, figures in taken.items()}


def report(title: str, whole: dict[str, Figures], start: dict[str, Figures]) -> None:
    """Print how each way to extract compares with ffmpeg."""
    reference = whole["ffmpeg"]
    above = reference.cpu_seconds - start["ffmpeg"].cpu_seconds
    for way in WAYS:
        ours = whole[way]
        our_start = start[way].cpu_seconds
        row = {
            "video": title,
            "way": way,
            "frames": [reference.files, ours.files],
            "cpu": [round(reference.cpu_seconds, 2), round(ours.cpu_seconds, 2)],
            "ratio": ratio(reference.seconds, ours.seconds),
            "cpu_ratio": ratio(reference.cpu_seconds, ours.cpu_seconds),
            "start": round(our_start, 2),
            "cpu_ratio_above_start": ratio(above, ours.cpu_seconds - our_start),
            "peak_mb": ours.peak_mb,
        }
        print(json.dumps(row), flush=True)


def main() -> None:
    """Print the rows of each video."""
    parser = argparse.ArgumentParser(description=__doc__)
    flag = parser.add_argument
    flag("--video", type=Path, nargs="+", help="instead of the synthetic clip")
    flag("--seconds", type=int, default=40, help="length of the synthetic clip")
    flag("--loops", type=int, nargs="+", default=[1], help="repeat each video")
    flag("--rounds", type=int, default=3)
    flag("--stages", action="store_true", help="tell where our time goes")
    args = parser.parse_args()
    os.environ.setdefault("PYTHONPATH", str(ROOT))

    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        videos = args.video or [make_clip(work / "clip.mp4", args.seconds)]
        for video in videos:
            short = first_frames(video, work / "first.mp4")
            start = measure(short, work, args.rounds)
            for loops in args.loops:
                longer = repeated(video, loops, work / f"looped{video.suffix}")
                whole = measure(longer, work, args.rounds)
                report(f"{video.stem} x{loops}", whole, start)
            if args.stages:
                command = [sys.executable, STAGES, video, *WAYS["all"]]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
