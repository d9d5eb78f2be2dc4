"""Time the extraction of key frames against `ffmpeg -skip_frame nokey`, which writes PNG files of the same pictures.

Both are run in turns on a clip of full HD with a key frame each second: test pictures
of ffmpeg's, or `--video`, repeated `--loops` times. The first row keeps all frames, so
both write the same number; the second selects, as users do. Times are minima over the
rounds; `ratio` is the rate of ours to ffmpeg's, by the clock and by the time on all
CPUs. The last row is the peak memory in MB of our process (of ffmpeg's, if it is
larger) for the clip once, 4 and 16 times.
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

from realesrgan_paddle.utils.ffmpeg import find_ffmpeg

TOOL = Path(__file__).resolve().parents[1] / "tools/extract_keyframes.py"
# A process of its own runs each command, so that the peak is of that command and those
# it starts.
WATCH = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024); sys.exit(code)"
)


def run(command: list[str | Path]) -> tuple[float, float, int]:
    """Return the seconds that a command takes by the clock and on all CPUs, and its peak memory in MB."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    peak = subprocess.run(
        [sys.executable, "-c", WATCH, *command], check=True, stdout=subprocess.PIPE
    ).stdout
    seconds, after = (
        time.perf_counter() - began,
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used, int(peak)


def make_clip(path: Path, seconds: int) -> Path:
    """Write a clip of a zooming Mandelbrot set and noise, 1920x1080."""
    picture = (
        f"mandelbrot=size=1920x1080:rate=10,noise=alls=6:allf=t,trim=duration={seconds}"
    )
    codec = (
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-crf",
        "23",
        "-g",
        "10",
        "-pix_fmt",
        "yuv420p",
    )
    subprocess.run(
        [find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", picture, *codec, path],
        check=True,
    )
    return path


def extract(video: Path, output: Path, flags: list[str]) -> tuple[float, float, int]:
    """Return what `run` does for the extraction of a video into an empty folder, which is removed."""
    figures = run([sys.executable, TOOL, "--input", video, "--output", output, *flags])
    for folder in (output, output.with_name(f"{output.name}_sheet")):
        shutil.rmtree(folder)
    return figures


def ffmpeg_command(video: Path, folder: Path) -> list[str | Path]:
    """Return the command that writes the key frames of a video with ffmpeg alone."""
    folder.mkdir()
    decode = [find_ffmpeg(), "-v", "error", "-skip_frame", "nokey", "-i", video]
    return [*decode, "-fps_mode", "passthrough", folder / "%06d.png"]


def repeated(video: Path, times: int, path: Path) -> Path:
    """Write the pictures of a video several times over, without encoding them anew."""
    command = [
        find_ffmpeg(),
        "-v",
        "error",
        "-y",
        "-stream_loop",
        str(times - 1),
        "-i",
        video,
        "-map",
        "0:v",
    ]
    subprocess.run([*command, "-c", "copy", path], check=True)
    return path


def main() -> None:
    """Print a row of JSON for each way to extract, and one for memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, help="your own")
    parser.add_argument(
        "--seconds",
        type=int,
        default=40,
        help="length of the clip that is made without --video",
    )
    parser.add_argument(
        "--loops",
        type=int,
        default=1,
        help="how often it is repeated: times of seconds say little",
    )
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        clip = args.video or make_clip(work / "clip.mp4", args.seconds)
        video = repeated(clip, args.loops, work / f"looped{clip.suffix}")
        ways = {"all": ["--keep_all"], "selected": []}
        times: dict[str, list[tuple[float, float, int]]] = {
            way: [] for way in ("ffmpeg", *ways)
        }
        for _ in range(args.rounds):
            times["ffmpeg"].append(run(ffmpeg_command(video, work / "frames")))
            shutil.rmtree(work / "frames")
            for way, flags in ways.items():
                times[way].append(extract(video, work / "set", flags))
        reference = [min(column) for column in zip(*times["ffmpeg"], strict=True)]
        for way in ways:
            clock, cpu, _ = (min(column) for column in zip(*times[way], strict=True))
            row = {
                "seconds": clock,
                "ratio": reference[0] / clock,
                "cpu_ratio": reference[1] / cpu,
            }
            print(
                json.dumps(
                    {"frames": way}
                    | {key: round(value, 2) for key, value in row.items()}
                ),
                flush=True,
            )
        peaks = {
            n: extract(repeated(clip, n, video), work / "set", ["--keep_all"])[2]
            for n in (1, 4, 16)
        }
        print(json.dumps({"peak_mb": peaks}))


if __name__ == "__main__":
    main()
