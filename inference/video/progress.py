"""How long a video takes: an estimate before, a bar or a line a minute while it is made."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from tqdm import tqdm

from realesrgan_paddle.inference.video.frame_upscaler import FrameUpscaler
from realesrgan_paddle.inference.video.plan import VideoPlan
from realesrgan_paddle.inference.video.reading.packets import (
    open_container,
    read_packets,
)
from realesrgan_paddle.inference.video.reading.source import time_code
from realesrgan_paddle.inference.video.writing.encoding import encoder
from realesrgan_paddle.utils.runlog.meter import duration

MOST_PLACES = 3
"""Of a video, evenly spread, where frames are upscaled for an estimate."""
FRAMES_AT_A_PLACE = 3
"""A key frame, and two that refer to it."""
FRAMES_FOR_A_PLACE = 100
"""A place for so many frames, or an estimate would take as long as the work."""

PATIENCE = 20.0
"""Seconds after which an estimate makes do with the frames that it has."""

SECONDS_BETWEEN_LINES = 60.0


@dataclass(frozen=True)
class Estimate:
    """What a video will take.

    Attributes:
        frames: of the result.
        seconds: of one frame, as far as the network goes.
        bytes: of the result's picture.
    """

    frames: int
    seconds: float
    bytes: float

    def __str__(self) -> str:
        """Return it as a line."""
        rate = 1 / self.seconds
        total = duration(self.frames * self.seconds)
        return (
            f"estimate from a few frames: {self.frames:,} frames at {rate:.3g} "
            f"frames/s take {total}, and the picture {self.bytes / 1e6:,.1f} MB"
        )


def estimate(
    samples: Callable[[int, int], Iterator[list[np.ndarray]]],
    upscale: FrameUpscaler,
    plan: VideoPlan,
    frames: int,
) -> Estimate:
    """Return what `frames` frames will take.

    The network's first run is not counted, for it prepares itself.

    Args:
        samples: returns runs of frames that follow each other; called with how many
            runs, and how many frames each has.
        upscale: upscales them.
        plan: how they are encoded.
        frames: how many there are.
    """
    seconds: list[float] = []
    keys: list[int] = []
    others: list[int] = []
    places = min(MOST_PLACES, max(1, frames // FRAMES_FOR_A_PLACE))
    for images in samples(places, FRAMES_AT_A_PLACE):
        results = []
        for image in images:
            before = time.monotonic()
            results.append(upscale(image))
            seconds.append(time.monotonic() - before)
            if sum(seconds) > PATIENCE:
                break

        key, *rest = _packet_sizes(results, plan)
        keys.append(key)
        others += rest
        if sum(seconds) > PATIENCE:
            break

    steady = seconds[1:] or seconds
    segments = min(len(plan.segments), frames)
    picture = np.mean(keys) * segments + np.mean(others or keys) * (frames - segments)
    return Estimate(frames, float(np.median(steady)), float(picture))


def _packet_sizes(results: list[np.ndarray], plan: VideoPlan) -> list[int]:
    """Return the bytes of each result, encoded; the first is a key frame."""
    timeline = plan.part.timeline
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "estimate.nut")
        with encoder(path, plan.encoding, timeline) as encode:
            for tick, result in zip(timeline.times, results, strict=False):
                encode(result, tick)

        with open_container(path) as container:
            picture = container.streams[0]
            return [packet.size for packet in read_packets(container, picture)]


class Progress:
    """Tells how far the frames of a video are; a context manager.

    Args:
        total: frames of the result.
        done: of these, done by earlier runs.
        name: of the video, for lines.
        say: gets a line a minute where there is no terminal; None: nothing is told.
    """

    def __init__(
        self, total: int, done: int, name: str, say: Callable[[str], None] | None
    ) -> None:
        self._total = total
        self._before = done
        self._done = done
        self._name = name
        self._say = say
        self._began = self._told = time.monotonic()
        on_terminal = say is not None and sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            initial=done,
            unit="frame",
            unit_scale=False,
            dynamic_ncols=True,
            disable=not on_terminal,
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.monotonic() - self._began

    def update(self, shown_at: Fraction) -> None:
        """Count a frame, which is shown at this time of the video [s]."""
        self._done += 1
        self._bar.set_postfix_str(f"at {time_code(shown_at)}", refresh=False)
        self._bar.update()

        now = time.monotonic()
        if now - self._told >= SECONDS_BETWEEN_LINES and self._say is not None:
            self._told = now
            if self._bar.disable:
                self._say(self._line(shown_at))

    def _line(self, shown_at: Fraction) -> str:
        rate = (self._done - self._before) / self.seconds
        left = (self._total - self._done) / rate
        return (
            f"{self._name}: at {time_code(shown_at)}, {self._done:,} of "
            f"{self._total:,} frames, {rate:.3g} frames/s, {duration(left)} left"
        )
