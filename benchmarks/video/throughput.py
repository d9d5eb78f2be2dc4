"""Frames a second of whole videos: tools/infer.py's way, frames through pipes, the network alone.

    python benchmarks/video/throughput.py --video CLIP --model EXPORTED_FOLDER

Three ways with the same network, codec, preset and quality, each in a process of its own, in
turns, so that what else the machine does hits all of them:

* "network": the frames are in memory, and results are thrown away;
* "ours": `Upscaler.video`;
* "pipes": an ffmpeg decodes into a pipe as rgb24 at a constant rate, another encodes what
  comes out of the network from a pipe, as many programs do.

What counts is the time from the first frame's end to the last one's: loading is left out.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.inference.video.writing.encoding import CRF, PRESET
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg

WAYS = ("network", "ours", "pipes")


def main() -> None:
    """Print a table, or with --way one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS)
    args = parser.parse_args()

    if args.way is not None:
        upscaler = Upscaler.load(args.model, tile="auto")
        seconds = {"network": network, "ours": ours, "pipes": pipes}[args.way](
            upscaler, args.video
        )
        print(json.dumps(seconds))
        return

    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(args.rounds):
        for way in WAYS:
            words = [sys.argv[0], "--video", args.video, "--model", args.model]
            command = [sys.executable, *map(str, words), "--way", way]
            done = subprocess.run(command, capture_output=True, check=True)
            taken[way].append(json.loads(done.stdout.splitlines()[-1]))
            print(
                f"round {number + 1}: {way} {taken[way][-1]:.4f} s a frame", flush=True
            )

    alone = taken["network"]
    print("| way | frames/s | share of the network alone |\n|---|--:|--:|")
    for way, seconds in taken.items():
        shares = [one / other for one, other in zip(alone, seconds, strict=True)]
        rate = 1 / statistics.median(seconds)
        print(f"| {way} | {rate:.2f} | {statistics.median(shares):.0%} |")


def network(upscaler: Upscaler, video: Path) -> float:
    """Return seconds a frame of the network alone."""
    with av.open(str(video)) as container:
        frames = [each.to_ndarray(format="rgb24") for each in container.decode(video=0)]
    upscaler(frames[0])

    began = time.perf_counter()
    for frame in frames:
        upscaler(frame)
    return (time.perf_counter() - began) / len(frames)


def ours(upscaler: Upscaler, video: Path) -> float:
    """Return seconds a frame of `Upscaler.video`, opening and muxing included."""
    with tempfile.TemporaryDirectory() as folder:
        settings = VideoSettings(deinterlace="no")
        outcome = upscaler.video(video, Path(folder, "result.mp4"), settings)
    return outcome.seconds.total / outcome.frames


def pipes(upscaler: Upscaler, video: Path) -> float:
    """Return seconds a frame through two ffmpeg processes."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        width, height, rate = stream.width, stream.height, stream.average_rate

    quiet = [find_ffmpeg(), "-nostdin", "-loglevel", "error", "-y"]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    size = f"{width * upscaler.scale}x{height * upscaler.scale}"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "result.mp4")
        codec = ["-c:v", "libx264", "-preset", PRESET["h264"], "-crf", str(CRF["h264"])]
        shape = ["-s", size, "-r", str(rate)]
        began = time.perf_counter()
        decoder = subprocess.Popen(
            [*quiet, "-i", video, "-r", str(rate), *raw, "-"], stdout=subprocess.PIPE
        )
        encoder = subprocess.Popen(
            [*quiet, *raw, *shape, "-i", "-", *codec, "-pix_fmt", "yuv420p", target],
            stdin=subprocess.PIPE,
        )
        count = 0
        for frame in _raw_frames(decoder, width, height):
            result = upscaler(frame)
            encoder.stdin.write(result.tobytes())
            count += 1
        encoder.stdin.close()
        encoder.wait()
        decoder.wait()
    return (time.perf_counter() - began) / count


def _raw_frames(
    decoder: subprocess.Popen, width: int, height: int
) -> Iterator[np.ndarray]:
    while data := decoder.stdout.read(width * height * 3):
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


if __name__ == "__main__":
    main()
