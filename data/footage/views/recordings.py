"""Two videos of one recording: another encoding of it, a compilation that shows parts."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from realesrgan_paddle.data.footage.views.candidates import Pair
from realesrgan_paddle.data.sets.naming import MOMENT_SECONDS

FEWEST_COPIES = 3
"""Copies with one difference of times from which two videos run in step there. A choice:
two may be chance, and a title that two videos share is seldom longer."""


def find_lesser_frames(
    sources: Sequence[str],
    seconds: Sequence[float],
    pairs: Sequence[Pair],
    ranks: Sequence[Any],
) -> dict[int, int]:
    """Return the frames to drop where two videos run in step, each with a copy near it.

    Two encodings give other key frames, most of which are no copies, yet moments of the
    other: trained on beside those held out of it, they would flatter the verdict. From the
    first to the last copy the video with fewer better ones gives none.

    Args:
        sources: the video of each frame.
        seconds: its time.
        pairs: frames that are copies.
        ranks: of each frame; of copies the lower is the better one.
    """
    by_videos: dict[tuple[str, str], list[Pair]] = {}
    for one, other in pairs:
        if sources[one] != sources[other]:
            by_videos.setdefault((sources[one], sources[other]), []).append(
                (one, other)
            )

    lesser: dict[int, int] = {}
    for copies in by_videos.values():
        for stretch in _in_step(copies, seconds):
            wins = sum(1 if ranks[one] < ranks[other] else -1 for one, other in stretch)
            # The frame of the video that loses first.
            shown = stretch if wins < 0 else [pair[::-1] for pair in stretch]
            lost = np.array([seconds[worse] for worse, _ in shown])
            for number, source in enumerate(sources):
                time = seconds[number]
                inside = lost.min() <= time <= lost.max()
                if source == sources[shown[0][0]] and inside:
                    nearest = int(np.abs(lost - time).argmin())
                    lesser.setdefault(number, shown[nearest][1])
    return lesser


def _in_step(copies: Sequence[Pair], seconds: Sequence[float]) -> list[list[Pair]]:
    """Return the copies that two videos share with about the same difference of times."""
    by_lag = sorted(copies, key=lambda pair: seconds[pair[0]] - seconds[pair[1]])
    lags = [seconds[one] - seconds[other] for one, other in by_lag]
    steps = [later - lag for lag, later in itertools.pairwise(lags)]
    ends = [number + 1 for number, step in enumerate(steps) if step > MOMENT_SECONDS]
    stretches = [
        by_lag[start:end] for start, end in itertools.pairwise([0, *ends, len(by_lag)])
    ]
    return [
        stretch
        for stretch in stretches
        if min(len({pair[side] for pair in stretch}) for side in (0, 1))
        >= FEWEST_COPIES
    ]
