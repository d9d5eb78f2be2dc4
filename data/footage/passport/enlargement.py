"""By which factor one axis, or both, were enlarged; from the traces of a source."""

from typing import Literal, NamedTuple

import numpy as np

from realesrgan_paddle.data.footage.passport.peaks import (
    FEW_FRAMES,
    MAX_FACTOR,
    highest_share,
)
from realesrgan_paddle.data.footage.passport.resampling import (
    BLOCK,
    Trace,
    level_difference,
)

# Thresholds were chosen on the setting clips of benchmarks/footage/true_size.py:
# true, enlarged, and both after JPEG, MPEG-2, H.264 and HEVC.

MIN_QUARTER = 0.22
"""Correlation at 1/4 and 3/8 from which the factor is 4, or 8/3; a true source: 0.1."""

MIN_NEAREST = 0.56
"""Contrast of steps from which pixels are repeated: 0.62 to 0.95 if they are.

Up to 0.5 after enlarging by area, 0.2 at CRF 38.
"""

MIN_TEXTURE = 4.0
"""Textured pixels a column needs, in the mean, to judge the steps between columns."""

PERIODS = 4
"""Highest harmonics that are tried: all of repeated pixels may be equally high."""

FRACTIONS = (0.0, -0.5, -0.25, 0.25, 0.5)
"""Parts of a bin that are tried beside the highest one."""

MIN_MIRRORED = 0.41
"""Correlation below which the rule for 4/3 is not asked; soft footage misleads it."""

MIN_ALONE = 1.5
"""Logit of one of the rules below from which only the width was enlarged."""

MIN_DOWN = -1.0
"""Logit of the height below which it was not: -0.9 and more where it was, mostly."""

FEW_LOGIT = 0.7
"""Added to what is asked while there are few frames."""

MAX_DOUBT = -1.5
"""Logit of the rule for 2 from which that for 4/3 is not asked.

-2.9 and less after 4/3; up to 1.2 at CRF 38 without the 8x8 transform (baseline).
"""

MAX_THIRD_SHARE = 1.8
"""Correlation at 6/8 in those at 4/8 from which the factor is not 2.

Measured: 1.2 at most for 2, 1.8 to 4 for 4/3.
"""

MIN_BLOCK_SHARE, MAX_BLOCK_QUARTER = 1.1, -0.06
"""Correlation at 6/8 in those at 4/8, and the one at 2/8, of blocks of 4 pixels only.

At CRF 38 without the 8x8 transform: 1.1 to 1.6, -0.16 to -0.06. After enlarging by 2, the
one is less or the other more.
"""

MAX_QUARTER_FALL = -9.0
"""Fall of the spectrum past the mirror [dB] without which it is no factor of 4 or 8/3.

-14 and less if enlarged by 4; -3 to -9 if true, at whatever CRF.
"""

ONE_AXIS = 0.2
"""Share of the stronger axis below which the other one was not enlarged."""

Kind = Literal["interpolated", "nearest"]


class Enlargement(NamedTuple):
    """How much larger each axis was made; 1 for one that was not."""

    across: float
    down: float
    kind: Kind


class BlockRule(NamedTuple):
    """Tells a factor from blocks, whose grid has a harmonic at the same place.

    A logistic regression on the setting clips.
    """

    eighth: int
    weights: tuple[float, ...]
    """Of the correlations at 2, 4, 5, 6 and 7 eighths; see `Trace.mirrored`."""
    beyond: float
    """Weight of the fall beyond the mirror of 4/3."""
    before: float
    """Weight of the fall before it."""
    constant: float
    min_across: float
    """Logit of the width from which it is asked further. Content leads it less astray
    than that of the height: a pitch's lines and stands lie across."""
    min_sum: float
    """Sum of both logits from which both axes were enlarged."""

    @property
    def factor(self) -> float:
        """The factor whose repetitions are mirrored at this eighth."""
        return BLOCK / self.eighth

    def logit(self, trace: Trace) -> float:
        """Return the logarithm of the odds that the axis was enlarged."""
        correlations = [trace.mirrored(k) for k in (2, 4, 5, 6, 7)]
        weighted = np.dot(self.weights, correlations)
        logit = self.constant + float(weighted)

        power = trace.power()
        at_mirror = (0.36, 0.40)
        beyond = level_difference(power, at_mirror, (0.44, 0.48))
        before = level_difference(power, at_mirror, (0.28, 0.32))
        # Enlarging without compression goes beyond what the rule was fitted on.
        beyond = float(np.clip(beyond, -2.5, 2))
        before = float(np.clip(before, 2, 6))
        logit += self.beyond * beyond
        logit += self.before * before
        return logit


DOUBLED = BlockRule(4, (31.4, 16.0, -1.6, -0.5, 1.8), 0.0, 0.0, -4.2, 0.6, 1.8)
THIRD_MORE = BlockRule(6, (5.2, -3.2, 3.4, 8.9, -2.0), 1.04, 1.07, -6.6, 1.5, 0.3)


def find_enlargement(across: Trace, down: Trace) -> Enlargement | None:
    """Return how much larger the frames of a source were made; None if not at all.

    That only the lines were doubled is not enlarging: deinterlacing does it.
    """
    if not across.frames or not down.frames:
        return None
    found = (
        _nearest(across, down)
        or _by_quarters(across, down)
        or _by_peak(across, down)
        or _by_block_rule(across, down)
    )
    if found and found.across == 1 and abs(found.down - 2) < 0.06:
        return None
    return found


def _nearest(across: Trace, down: Trace) -> Enlargement | None:
    """Return the factors of axes whose pixels are repeated."""
    factors = [_repeated(trace) for trace in (across, down)]
    if factors == [1.0, 1.0]:
        return None
    return Enlargement(factors[0], factors[1], "nearest")


def _repeated(trace: Trace) -> float:
    """Return the factor by which pixels of an axis are repeated; 1 if they are not."""
    if trace.texture() < MIN_TEXTURE:
        return 1.0
    steps = trace.steps()
    spectrum = np.abs(np.fft.rfft(steps - steps.mean()))
    first = int(trace.length / MAX_FACTOR)
    highest = np.argsort(-spectrum[first:])[:PERIODS] + first

    # n of m pixels that repeat look as m - n do, but for the share of steps. The size
    # is no whole number if the trace is shorter than the frame.
    sizes = [period + part for period in highest for part in FRACTIONS]
    sizes += [trace.length - size for size in sizes]
    contrasts = [_step_contrast(steps, size) for size in sizes]
    best = int(np.argmax(contrasts))
    if contrasts[best] < MIN_NEAREST:
        return 1.0
    return trace.length / sizes[best]


def _step_contrast(steps: np.ndarray, size: float) -> float:
    """Return how much larger the steps are where repeated pixels would end, -1 to 1."""
    length = len(steps)
    pixels = np.arange(length)
    contrasts = []
    for offset in (0.5, 1e-6):  # centers aligned, or corners
        source = np.floor((pixels + offset) * size / length)
        is_step = np.diff(source, prepend=-1) > 0
        on = steps[is_step].mean()
        off = steps[~is_step].mean()
        contrasts.append((on - off) / (on + off + 1e-9))
    return float(max(contrasts))


def _by_quarters(across: Trace, down: Trace) -> Enlargement | None:
    """Return the factor 4 or 8/3, at whose harmonic blocks leave next to nothing."""
    for eighth in (2, 3):
        mirror = eighth / BLOCK / 2
        correlations = []
        for trace in (across, down):
            fall = level_difference(
                trace.power(),
                (0.55 * mirror, 0.8 * mirror),
                (1.25 * mirror, 1.7 * mirror),
            )
            is_wide = fall > MAX_QUARTER_FALL
            correlations.append(0.0 if is_wide else trace.mirrored(eighth))
        if max(correlations) > MIN_QUARTER:
            return _enlargement(BLOCK / eighth, *correlations)
    return None


def _by_block_rule(across: Trace, down: Trace) -> Enlargement | None:
    """Return the factor 2 or 4/3, if it is likelier than blocks."""
    third = across.mirrored(6) + down.mirrored(6)
    half = across.mirrored(4) + down.mirrored(4)
    if third > MAX_THIRD_SHARE * half:
        return _by_rule(THIRD_MORE, across, down)
    quarter = across.mirrored(2) + down.mirrored(2)
    if third > MIN_BLOCK_SHARE * half and quarter < 2 * MAX_BLOCK_QUARTER:
        return None

    doubled = _by_rule(DOUBLED, across, down)
    is_doubtful = DOUBLED.logit(across) > MAX_DOUBT
    if doubled or is_doubtful or across.mirrored(6) < MIN_MIRRORED:
        return doubled
    return _by_rule(THIRD_MORE, across, down)


def _by_rule(rule: BlockRule, across: Trace, down: Trace) -> Enlargement | None:
    """Return the factor of a rule for the axes that were enlarged by it."""
    width, height = rule.logit(across), rule.logit(down)
    doubt = FEW_LOGIT if across.frames < FEW_FRAMES else 0.0
    if width < rule.min_across + doubt:
        return None
    if height > MIN_DOWN and width + height > rule.min_sum + doubt:
        return Enlargement(rule.factor, rule.factor, "interpolated")
    if height <= MIN_DOWN and width > MIN_ALONE:
        return Enlargement(rule.factor, 1.0, "interpolated")
    return None


def _by_peak(across: Trace, down: Trace) -> Enlargement | None:
    """Return the factor at which the correlation stands out most, off all grids."""
    share = highest_share(across, down)
    if share is None:
        return None
    coherences = [t.coherence(round(share * t.length)) for t in (across, down)]
    return _enlargement(1 / share, *coherences)


def _enlargement(factor: float, across: float, down: float) -> Enlargement:
    """Return a factor for the axes that it was found on, by their strengths."""
    strongest = max(across, down)
    return Enlargement(
        factor if across > ONE_AXIS * strongest else 1.0,
        factor if down > ONE_AXIS * strongest else 1.0,
        "interpolated",
    )
