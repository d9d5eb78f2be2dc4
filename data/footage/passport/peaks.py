"""Where the correlation of a source's spectrum stands out, and what is no enlarging."""

import numpy as np

from realesrgan_paddle.data.footage.passport.resampling import (
    BLOCK,
    GRID,
    Trace,
    level_difference,
)

# Thresholds were chosen on the setting clips of benchmarks/footage/true_size.py.

MIN_FACTOR, MAX_FACTOR = 1.3, 4.6
"""Factors that are looked for.

Downscaling by 1.2 without antialiasing leaves the trace of enlarging by 1.25.
"""

MIN_PEAK = 9.5
"""Length of both axes' peaks from which the frames were resampled.

The largest of a true source was 8.7 (2 frames); 10 in one frame, of an earlier grid.
"""

COMMON_SHARES = (1 / 3, 4 / 9, 2 / 3)
"""1 / factor of 640, 854 and 1280 pixels that were enlarged to 1920."""

MIN_COMMON_PEAK = 7.5
"""The same for common factors: three places of a thousand are seldom high by chance."""

FEW_FRAMES = 2
FEW = 1.3
"""With fewer frames, a peak must be that much higher."""

MIN_COHERENCE = 0.045
"""A peak of less is nothing that was done to the whole frame."""

WIDE_FALL, WIDE_LEVEL, WIDE_COHERENCE = -3.0, -25.0, 0.35
"""The same for uncommon factors where detail reaches 1/2 cycle/pixel.

After downscaling without antialiasing the coherence was 0.26 at most. Detail reaches 1/2
if it falls up to there [dB], and not to next to nothing: -31 and less after enlarging by
Lanczos without compression.
"""

GRID_BINS, BLOCK_BINS = 1.6, 5.0
"""Bins around the harmonics of 32 and of 8 pixels in which no peak counts."""

MAX_COMB = 0.38
"""Mean height of a comb's other teeth, as a share of a peak, that makes it a grid.

Blocks of 8 pixels that were downscaled by r have a period of 8 r, and all harmonics.
"""

CANDIDATES = 4
"""Highest peaks of an axis that are looked at."""


def highest_share(across: Trace, down: Trace) -> float | None:
    """Return the f + g at which repetitions correlate, 1 / factor [cycles/pixel].

    None if nothing stands out but grids of blocks.
    """
    axes = _Axis(across), _Axis(down)
    few = FEW if across.frames < FEW_FRAMES else 1.0
    best, best_height = None, 0.0
    for axis, other in (axes, axes[::-1]):
        for index in axis.candidates():
            share = index / axis.length
            other_height = other.near(share)
            height = float(np.hypot(axis.heights[index], other_height))
            is_likely = _is_common(share, axis) and not axis.is_wide()
            least = MIN_COMMON_PEAK if is_likely else MIN_PEAK
            is_higher = height > max(few * least, best_height)
            if not is_higher or not axis.is_coherent(index):
                continue
            stronger = other if other_height > axis.near(share) else axis
            if not stronger.is_tooth(share):
                best, best_height = share, height
    return best


class _Axis:
    """The peaks of one axis."""

    def __init__(self, trace: Trace) -> None:
        self.heights = trace.peaks()
        self.length = trace.length
        self._trace = trace

    def candidates(self) -> list[int]:
        """Return the bins of the highest peaks off the harmonics of grids of blocks."""
        bins = np.arange(self.length)
        shares = bins / self.length
        is_high = shares > 1 / MAX_FACTOR
        is_low = shares < 1 / MIN_FACTOR
        allowed = is_high & is_low
        for divisor, width in ((GRID, GRID_BINS), (BLOCK, BLOCK_BINS)):
            period = self.length // divisor
            half = period // 2
            distance = (bins + half) % period - half
            allowed &= np.abs(distance) > width

        heights = np.where(allowed, self.heights, 0)
        order = np.argsort(-heights, kind="stable")
        highest = order[:CANDIDATES]
        return [int(index) for index in highest if allowed[index]]

    def near(self, share: float) -> float:
        """Return the height of the peak at this share, at least 0."""
        index = round(share * self.length)
        around = self.heights[index - 1 : index + 2]
        height = float(around.max())
        return max(0.0, height)

    def is_coherent(self, index: int) -> bool:
        """Return whether enough of the frames takes part in a peak."""
        coherence = self._trace.coherence(index)
        is_common = _is_common(index / self.length, self)
        is_doubtful = self.is_wide() and not is_common
        return coherence > (WIDE_COHERENCE if is_doubtful else MIN_COHERENCE)

    def is_wide(self) -> bool:
        """Return whether detail reaches 1/2 cycle/pixel."""
        detail = self._trace.detail()
        fall = level_difference(detail, (0.36, 0.40), (0.44, 0.48))
        level = level_difference(detail, (0.1, 0.2), (0.44, 0.48))
        return fall < WIDE_FALL and level > WIDE_LEVEL

    def is_tooth(self, share: float) -> bool:
        """Return whether a peak is one of many of the same distance."""
        height = self.near(share)
        for number in range(2, BLOCK):
            spacing = share / number
            if not 1 / BLOCK < spacing < 2 / BLOCK:
                continue
            teeth = [k * spacing for k in range(1, BLOCK) if k != number]
            heights = [self.near(tooth) for tooth in teeth if self._counts(tooth)]
            if heights and np.mean(heights) > MAX_COMB * height:
                return True
        return False

    def _counts(self, share: float) -> bool:
        """Return whether a place is none at which today's blocks have a harmonic."""
        sixteenth = share * 16
        off = abs(sixteenth - round(sixteenth))
        distance = off * self.length / 16
        return 0.13 < share < 0.9 and distance > 3


def _is_common(share: float, axis: _Axis) -> bool:
    distances = [abs(share - common) for common in COMMON_SHARES]
    nearest = min(distances)
    return nearest * axis.length < 1
