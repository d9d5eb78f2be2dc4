"""Say which stages of an extraction take the processor's time, the passport's among them.

    python benchmarks/footage/extraction_stages.py VIDEO [flags of tools/extract_keyframes.py]

Prints a row of JSON: seconds of processor time in each stage, ffmpeg processes that the
stage waits for included, without those in stages that it calls. `decode` is ffmpeg's
decoding of the frames, `rest` what is in no stage, `passport_share` the passport's time,
divided by all other time.
"""

if __name__ == "__main__":  # before numpy is imported, as the tool does
    from realesrgan_paddle.utils.machine.devices import use_one_blas_thread

    use_one_blas_thread()

import argparse
import functools
import json
import resource
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realesrgan_paddle.data.footage import frame_writer, keyframes, scoring
from realesrgan_paddle.data.footage.passport.picture import PictureMeter
from realesrgan_paddle.data.footage.passport.true_size import TrueSizeFinder
from realesrgan_paddle.data.footage.screen.source import SourceScreen
from realesrgan_paddle.data.footage.shots import shot_finder
from realesrgan_paddle.data.footage.shots.blends import BlendFinder
from realesrgan_paddle.data.footage.shots.shot_finder import ShotFinder
from realesrgan_paddle.data.footage.views.set_images import Miniatures
from realesrgan_paddle.tools import extract_keyframes

PASSPORT = "passport"

STAGES: list[tuple[str, Any, str]] = [
    ("probe", keyframes, "probe"),
    ("interlacing", keyframes, "field_order"),
    ("packets", shot_finder, "read_packets"),
    ("transitions", BlendFinder, "transition_of"),
    ("shots", ShotFinder, "add"),
    ("shots", ShotFinder, "assign_shot"),
    ("scores", scoring, "measure"),
    ("hash", scoring, "perceptual_hash"),
    ("thumbnails", scoring, "write_thumb"),
    ("screen", SourceScreen, "look"),
    ("screen", SourceScreen, "place"),
    ("screen, at the end", SourceScreen, "overlays"),
    (PASSPORT, TrueSizeFinder, "add"),
    (PASSPORT, PictureMeter, "offer"),
    (PASSPORT, keyframes, "apply_verdict"),
    (PASSPORT, keyframes, "write_passports"),
    ("miniatures", Miniatures, "write"),
    ("PNG", frame_writer, "_write"),
    ("copies and views", keyframes, "decide"),
    ("sheet", keyframes, "write_sheet"),
]


class Clock(threading.local):
    """Adds up the processor time of this thread by stage."""

    def __init__(self) -> None:
        self.inside = [0.0]
        """Seconds in stages that each running stage has called."""


TAKEN: dict[str, float] = defaultdict(float)
CLOCK = Clock()


def children_seconds() -> float:
    """Return the processor time of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def now() -> float:
    """Return the processor time of this thread, and of processes that have ended."""
    is_main = threading.current_thread() is threading.main_thread()
    return time.thread_time() + (children_seconds() if is_main else 0.0)


def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that adds what it takes to a stage."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        start = now()
        CLOCK.inside.append(0.0)
        try:
            return function(*args, **kwargs)
        finally:
            taken = now() - start
            TAKEN[stage] += taken - CLOCK.inside.pop()
            CLOCK.inside[-1] += taken

    return call


def main() -> None:
    """Extract into a temporary folder and print the row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video")
    own_flags, flags = parser.parse_known_args()
    video = own_flags.video
    imports = time.process_time()
    for stage, owner, name in STAGES:
        setattr(owner, name, timed(stage, getattr(owner, name)))

    with tempfile.TemporaryDirectory() as name:
        output = str(Path(name) / "set")
        extract_keyframes.main(["--input", video, "--output", output, *flags])

    own = time.process_time() - imports
    children = children_seconds()
    by_stage = sum(TAKEN.values())
    row = dict(TAKEN)
    row["imports"] = imports
    row["all"] = own + children + imports
    row["decode and rest"] = own + children - by_stage
    row = {stage: round(seconds, 2) for stage, seconds in row.items()}
    others = own + children + imports - TAKEN[PASSPORT]
    row["passport_share"] = round(TAKEN[PASSPORT] / others, 3)
    print(json.dumps({"video": Path(video).stem} | row), flush=True)


if __name__ == "__main__":
    main()
