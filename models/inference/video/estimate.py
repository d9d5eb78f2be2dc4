"""How long a video will take and how large its result will be, from its first frames."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realesrgan_paddle.models.inference.video.frame_upscaler import FrameUpscaler
from realesrgan_paddle.models.inference.video.plan import VideoPlan
from realesrgan_paddle.models.inference.video.reading.packets import (
    open_container,
    read_packets,
)
from realesrgan_paddle.models.inference.video.writing.encoding import encoder
from realesrgan_paddle.utils.runlog.meter import duration

FRAMES = 4
"""That are upscaled for an estimate: a key frame, and some that refer to it."""

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
            f"estimate from the first frames: {self.frames:,} frames at {rate:.3g} "
            f"frames/s take {total}, and the picture {self.bytes / 1e6:,.1f} MB"
        )


def estimate(
    images: Iterator[np.ndarray], upscale: FrameUpscaler, plan: VideoPlan, frames: int
) -> Estimate:
    """Return what `frames` frames will take, from the first few images.

    The network's first run is not counted, for it prepares itself.
    """
    results, seconds = [], []
    began = time.monotonic()
    for image in images:
        before = time.monotonic()
        results.append(upscale(image))
        seconds.append(time.monotonic() - before)
        is_late = time.monotonic() - began > PATIENCE
        if len(results) == FRAMES or is_late:
            break

    steady = seconds[1:] or seconds
    sizes = _packet_sizes(results, plan)
    key, others = sizes[0], sizes[1:] or sizes
    segments = min(len(plan.segments), frames)
    picture = key * segments + float(np.mean(others)) * (frames - segments)
    return Estimate(frames, float(np.median(steady)), picture)


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
