"""Where the detail of a source ends in its spectrum."""

import cv2
import numpy as np

from realesrgan_paddle.data.footage.passport.resampling import Trace

NOISE_BAND = (0.44, 0.49)
"""Cycles/pixel where there is least detail, whose power is taken for the noise's."""

ABOVE_NOISE = 2.0
"""Times the noise's power from which there is detail: as much of it as of noise."""

SMOOTHING = 0.02
"""Cycles/pixel over which the spectrum is smoothed."""


Band = tuple[float, float]
"""Lowest and highest frequency [cycles/pixel]."""


def level_difference(power: np.ndarray, band: Band, other: Band) -> float:
    """Return how much higher a power spectrum is in `other` than in `band` [dB].

    Args:
        power: float64 (bins,), from 0 to 1/2 cycle/pixel.
        band: what is compared with.
        other: what is compared.
    """
    frequencies = np.linspace(0, 0.5, len(power))
    levels = []
    for first, last in (band, other):
        inside = (frequencies >= first) & (frequencies < last)
        mean = power[inside].mean()
        levels.append(10 * np.log10(mean + 1e-12))
    level, other_level = levels
    return float(other_level - level)


def bandwidth(trace: Trace) -> float:
    """Return the frequency at which detail sinks into the noise [cycles/pixel].

    Up to 0.44: all that the pixels can hold. Twice that, times the length of the axis,
    is how many pixels would hold all detail.
    """
    power = trace.detail()
    width = round(SMOOTHING * trace.length)
    window = (max(1, width), 1)
    smoothed = cv2.blur(power[None], window, borderType=cv2.BORDER_REFLECT)
    smooth = smoothed[0]
    frequencies = np.arange(len(power)) / trace.length

    first, last = NOISE_BAND
    is_noise = (frequencies >= first) & (frequencies <= last)
    noise = smooth[is_noise].mean()
    has_detail = (frequencies < first) & (smooth > ABOVE_NOISE * noise)
    detailed = frequencies[has_detail]
    return float(detailed.max(initial=0.0))
