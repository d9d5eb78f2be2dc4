"""Measure how well frames in dissolves, wipes and fades are told from good ones.

Clips are made of the given videos and pictures (which move and zoom), with ffmpeg's
xfade between them and key frames every 10 to 25 frames; then their key frames are
extracted with only this detector at work. Printed are counts by kind of transition,
precision and recall; with `--good`, also how many key frames of whole videos, which
should hold no transition, are dropped as mixtures.
"""

import argparse
import functools
import json
import random
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.footage.keyframes import Settings, extract_key_frames
from realesrgan_paddle.data.footage.selection import Selection
from realesrgan_paddle.data.footage.shots.shot_finder import IN_TRANSITION
from realesrgan_paddle.data.footage.split import SplitOptions
from realesrgan_paddle.data.footage.video import Sampling
from realesrgan_paddle.data.sets.manifest import read_records
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg, probe

KINDS = (
    *["fade"] * 6,
    *["wipeleft", "wiperight", "wipeup", "wipedown", "circleopen", "circleclose"],
    *["diagtl", "diagbr", "smoothleft", "smoothup", "radial", "fadeblack", "fadewhite"],
)
LENGTHS = (0.48, 0.8, 1.0, 1.52, 2.0)
SIZE = (640, 360)
RATE = 25
CLEAR = 0.04
"""Share of the new picture, at both ends, that counts neither as mixed nor as good."""


@functools.cache
def new_shares(kind: str) -> np.ndarray:
    """Return the share of the new picture over the time of a transition, (51,)."""
    if kind.startswith("fade"):
        return np.linspace(0, 1, 51)
    black, white = (f"color={name}:s=64x36:r=50:d=1.02" for name in ("black", "white"))
    inputs = ["-f", "lavfi", "-i", black, "-f", "lavfi", "-i", white]
    fade = f"xfade=transition={kind}:duration=1:offset=0,format=gray"
    command = [find_ffmpeg(), "-v", "error", *inputs, "-filter_complex", fade]
    command += ["-frames:v", "51", "-f", "rawvideo", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    luma = np.frombuffer(data, np.uint8).reshape(51, -1).mean(axis=1)
    return (luma - luma[0]) / (luma[-1] - luma[0])


def shot(source: Path, number: int, frames: int, rng: random.Random) -> tuple:
    """Return ffmpeg's input words and filters for one shot of so many frames."""
    width, height = SIZE
    end = "setsar=1,format=yuv420p,settb=1/25"
    seconds = frames / RATE
    if source.suffix == ".mp4":
        length = probe(source).seconds or seconds
        start = rng.uniform(0, max(0.0, length - seconds - 0.1))
        words = ["-ss", f"{start:.2f}", "-t", f"{seconds:.2f}", "-i", str(source)]
        return words, f"[{number}:v]fps={RATE},scale={width}:{height},{end}"

    zoom = rng.choice(["1.15", "1+on*0.003", "1.4-on*0.003"])
    left = rng.choice(["iw/2-iw/zoom/2", f"iw*(0.02+on*{rng.uniform(0, 0.0025):.4f})"])
    pan = f"zoompan=z='{zoom}':x='{left}':y='ih/2-ih/zoom/2':d={frames}"
    size = f"s={width}x{height}:fps={RATE}"
    return ["-i", str(source)], f"[{number}:v]scale=1920:1080,{pan}:{size},{end}"


def make_clip(path: Path, sources: list[list[Path]], seed: int) -> list[tuple]:
    """Write a clip of five shots; return kind, start and end [s] of its transitions."""
    rng = random.Random(seed)
    inputs, graph, lengths = [], [], []
    source = None
    for number in range(5):
        frames = rng.randrange(55, 100)
        others = [one for one in rng.choice(sources) if one != source]
        source = rng.choice(others)
        words, filters = shot(source, number, frames, rng)
        inputs += words
        graph.append(f"{filters}[v{number}]")
        lengths.append(frames / RATE)

    transitions = []
    total = lengths[0]
    joined = "v0"
    for number in range(1, 5):
        kind, length = rng.choice(KINDS), rng.choice(LENGTHS)
        start = round(total - length - 0.04, 2)
        fade = f"xfade=transition={kind}:duration={length}:offset={start}"
        graph.append(f"[{joined}][v{number}]{fade}[x{number}]")
        joined = f"x{number}"
        transitions.append((kind, start, start + length))
        total = start + lengths[number]

    encode = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads", "1"]
    gop = ["-g", str(rng.choice([10, 12, 25]))]
    graph_words = ["-filter_complex", ";".join(graph), "-map", f"[{joined}]"]
    command = [find_ffmpeg(), "-v", "error", *inputs, *graph_words, *encode, *gop]
    subprocess.run([*command, str(path)], check=True)
    return transitions


def decisions(video: Path, folder: Path) -> list[tuple[float, str]]:
    """Return time and reason of each frame, with only this detector at work."""
    selection = Selection(
        min_size=1,
        min_sharpness=0,
        max_blockiness=100,
        min_contrast=40,
        min_difference=0,
        window=0,
    )
    settings = Settings(Sampling(min_frames=0), selection, SplitOptions())
    output = folder / f"{video.stem}_frames"
    extract_key_frames([video], output, settings, sheet=folder / f"{video.stem}_sheet")
    records = read_records(output / "manifest.jsonl")
    return [(record["seconds"], record["reason"]) for record in records]


def kind_at(seconds: float, transitions: list[tuple]) -> str:
    """Return the kind of the transition of this time, "good", or "" where unclear."""
    for kind, start, end in transitions:
        place = (seconds - start) / (end - start)
        share = np.interp(place, np.linspace(0, 1, 51), new_shares(kind))
        if CLEAR < share < 1 - CLEAR:
            return kind
        if -CLEAR <= place <= 1 + CLEAR:
            return ""
    return "good"


def main() -> None:
    """Print a row of JSON for each kind, then precision and recall."""
    parser = argparse.ArgumentParser(description=__doc__)
    flag = parser.add_argument
    flag("--videos", type=Path, nargs="*", default=[])
    flag("--pictures", type=Path, nargs="*", default=[])
    flag("--good", type=Path, nargs="*", default=[], help="videos without transitions")
    flag("--clips", type=int, default=10)
    flag("--seed", type=int, default=0)
    flag("--verbose", action="store_true", help="print each wrong frame")
    args = parser.parse_args()

    counts: Counter[tuple[str, bool]] = Counter()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        sources = [group for group in (args.videos, args.pictures) if group]
        for number in range(args.clips if sources else 0):
            clip = work / f"{number:03d}.mp4"
            transitions = make_clip(clip, sources, args.seed + number)
            for seconds, reason in decisions(clip, work):
                kind = kind_at(seconds, transitions)
                is_found = reason == IN_TRANSITION or (kind != "good" and bool(reason))
                counts[kind, is_found] += 1
                if args.verbose and kind and is_found == (kind == "good"):
                    print(clip.stem, round(seconds, 2), kind, reason, transitions)
        for video in args.good:
            found = Counter(reason for _, reason in decisions(video, work))
            print(json.dumps({"good": video.stem, **found}))

    found = sum(
        n for (kind, hit), n in counts.items() if kind not in ("", "good") and hit
    )
    missed = sum(
        n for (kind, hit), n in counts.items() if kind not in ("", "good") and not hit
    )
    false, right = counts["good", True], counts["good", False]
    for kind in sorted({kind for kind, _ in counts if kind}):
        print(
            json.dumps(
                {
                    "kind": kind,
                    "of": counts[kind, True] + counts[kind, False],
                    "found": counts[kind, True],
                }
            )
        )
    if found + missed:
        precision, recall = found / max(found + false, 1), found / (found + missed)
        print(
            f"precision {precision:.3f} recall {recall:.3f} false alarms {false} "
            f"of {false + right}"
        )


if __name__ == "__main__":
    main()
