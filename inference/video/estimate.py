"""How long a video will take and how large its result will be, from a few frames of it."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realesrgan_paddle.inference.video.frame_upscaler import FrameUpscaler
from realesrgan_paddle.inference.video.plan import VideoPlan
from realesrgan_paddle.inference.video.reading.packets import (
    open_container,
    read_packets,
)
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
    runs: Iterator[list[np.ndarray]],
    upscale: FrameUpscaler,
    plan: VideoPlan,
    frames: int,
) -> Estimate:
    """Return what `frames` frames will take.

    The network's first run is not counted, for it prepares itself.

    Args:
        runs: frames that follow each other, from several places.
        upscale: upscales them.
        plan: how they are encoded.
        frames: how many there are.
    """
    seconds: list[float] = []
    keys: list[int] = []
    others: list[int] = []
    for images in runs:
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
