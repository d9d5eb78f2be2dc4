"""Verdicts on encodes of clips at several rates, from their streams and pictures.

    python benchmarks/footage/compression.py --videos A.mp4 B.mp4 --work FOLDER

Makes 3 seconds of each clip with each codec and rate, extracts them and prints the
figures and the verdict of each.
"""

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.footage.keyframes import Settings, extract_key_frames
from realesrgan_paddle.data.footage.passport.passport import Passport
from realesrgan_paddle.data.footage.passport.verdict import POOR_QP
from realesrgan_paddle.data.footage.video import Sampling
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg

RATES = {
    "libx264": (18, 23, 30, 40, 46),
    "libx265": (18, 23, 30, 36, 40, 46),
    "libvpx-vp9": (20, 31, 45, 63),
    "mpeg2video": (2, 4, 8, 20, 31),
}
KEY_FRAMES = Settings(Sampling(min_frames=0))
GOOD, BAD = "good", "bad"
EXPECTED = {
    "libx264": (23, 40),
    "libx265": (23, 36),
    "libvpx-vp9": (31, 63),
    "mpeg2video": (4, 20),
}
"""Rates up to which an encode should be good, and from which it should be bad."""

SPEED = {
    "libx264": ("-preset", "veryfast"),
    "libx265": ("-preset", "superfast", "-x265-params", "log-level=none"),
    "libvpx-vp9": ("-deadline", "realtime", "-cpu-used", "8", "-b:v", "0"),
    "mpeg2video": (),
}


def encode(source: Path, codec: str, rate: int, target: Path, start: float) -> None:
    """Make 3 seconds of a clip with a codec."""
    quality = ["-crf", str(rate)]
    if codec == "mpeg2video":
        quality = ["-q:v", str(rate), "-qmin", str(rate), "-qmax", str(rate)]
    command = [find_ffmpeg(), "-nostdin", "-v", "error", "-y", "-ss", str(start)]
    command += ["-i", str(source), "-t", "3", "-an", "-c:v", codec, *quality]
    command += [*SPEED[codec], "-pix_fmt", "yuv420p", "-g", "25", str(target)]
    subprocess.run(command, check=True)


def grade(passport: Passport) -> str:
    """Return "bad", "good" or "poor"."""
    if passport.verdict.decision == "do not train":
        return BAD
    found = passport.quantizer
    return "poor" if found and found.qp >= POOR_QP else GOOD


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", nargs="+", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--start", type=float, default=1.0, help="seconds")
    parser.add_argument("--codecs", nargs="*", default=list(RATES))
    args = parser.parse_args(argv)
    args.work.mkdir(parents=True, exist_ok=True)

    counts = {GOOD: [0, 0], BAD: [0, 0]}
    for video in args.videos:
        for codec in args.codecs:
            for rate in RATES[codec]:
                clip = args.work / f"{video.stem[:12]}_{codec}_{rate}.mkv"
                encode(video, codec, rate, clip, args.start)
                output = args.work / f"{clip.stem}_out"
                sheet = args.work / f"{clip.stem}_sheet"
                done = extract_key_frames([clip], output, KEY_FRAMES, sheet=sheet)
                (passport,) = done.passports

                expected = GOOD if rate <= EXPECTED[codec][0] else "between"
                if rate >= EXPECTED[codec][1]:
                    expected = BAD
                found = grade(passport)
                if expected in counts:
                    counts[expected][0] += found == expected
                    counts[expected][1] += 1
                qp = passport.quantizer.qp if passport.quantizer else float("nan")
                print(
                    f"{clip.stem:34} like QP {qp:5.1f}  key "
                    f"{passport.key_bits_per_pixel or 0:.3f} bit/pixel  wiped "
                    f"{passport.wiped or 0:.2f}  {found:5} (expected {expected})",
                    flush=True,
                )
    for kind, (right, of) in counts.items():
        print(f"expected {kind}: {right} of {of} right")


if __name__ == "__main__":
    main()
