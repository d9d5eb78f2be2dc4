"""The trace that enlarging leaves along one axis of a source's frames.

Enlarging by s repeats the spectrum of the smaller image every 1/s cycles a pixel, and no
kernel suppresses the repetitions entirely: the spectrum at f and the one mirrored at the
smaller image's Nyquist frequency, 1/s - f, are correlated. Gallagher 2005, "Detection of
linear and cubic interpolation in JPEG compressed images", and Mahdian & Saic 2008,
"Blind authentication using periodic properties of interpolation", find the same as a
period of the variance of derivatives; there, s and s / (s - 1) look alike. Here the sums
run over positive frequencies only (the analytic signal), which tells the two apart.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import fft

MAX_LINES = 192
"""Lines of a frame that are looked at, those with most texture; more only cost time."""

TEXTURED_SHARE = 0.1
"""Share of a frame that counts as textured.

Elsewhere compression is stronger than detail. On the setting clips, the correlation that
H.264's blocks leave at f + g = 1/2 fell from 0.45 to 0.33 (CRF 38) and from 0.15 to 0
(JPEG); that of frames enlarged by 2 rose from 0.44 to 0.7.
"""

MIN_ENERGY = 0.5
"""Mean squared difference of neighbors [8-bit levels] of the weakest texture."""

ENERGY_WINDOW = (17, 3)
"""Pixels along and across the lines over which texture is measured."""

LOWEST, HIGHEST = 0.06, 0.49
"""Band [cycles/pixel]: below are shadings, and next to 1/2 the analytic signal ends."""

SMOOTHING = 31
"""Bins over which the mean power spectrum is smoothed for whitening."""

EDGE = 12
"""Pixels at both ends of a line that are left out: cameras and scalers blur them."""

MAX_COLUMN = 6.0
"""Energy of a column, in those of the mean, to which an edge across all lines is cut.

Repeated pixels enlarged by 4 have 4. Uncut, one edge correlates all frequencies.
"""

MIRROR_BAND = 0.06
"""Distance from the mirror [cycles/pixel] up to which `mirrored` compares.

Further off, the repetitions of good kernels are below the noise of compression.
"""

BLOCK = 8
"""Period [pixels] of the grids of JPEG, MPEG, H.264 and HEVC, or a divisor of theirs."""

GRID = 32
"""Period [pixels] of HEVC's coding units, of which all grids of blocks are divisors."""

Lines = np.ndarray
"""float32 (count, length): luma along one axis."""


@dataclass
class Trace:
    """What the frames of a source add up to along one axis.

    The length is a multiple of `GRID` pixels, so that grids of blocks fall onto bins.
    """

    length: int
    frames: int = 0

    def __post_init__(self) -> None:
        bins = self.length // 2 + 1
        self._pairs = np.zeros(self.length)
        self._lines = 0
        self._power = np.zeros(bins)
        self._detail = np.zeros(bins)
        self._mirror = np.zeros((BLOCK, 2))
        self._steps = np.zeros(self.length)
        self._steps_count = np.zeros(self.length)

    def add(self, lines: Lines) -> None:
        """Add one frame's lines, longer than the trace; flat ones are left out."""
        pairs = _averaged(lines[:, : self.length])
        steps, best = _texture(pairs)
        if not len(steps):
            return
        self._detail += _detail_power(pairs[best])

        spectrum = fft.rfft(steps, axis=1)
        power = _power_of(spectrum)
        self.frames += 1
        self._lines += len(steps)
        self._power += power
        self._pairs += _pair_sums(spectrum, power, self.length)
        for eighth in range(2, BLOCK):
            mirrored = _mirror_sums(spectrum, power, eighth * self.length // BLOCK)
            self._mirror[eighth] += mirrored
        self._steps += np.abs(steps).sum(axis=0)
        self._steps_count += np.count_nonzero(steps, axis=0)

    def peaks(self) -> np.ndarray:
        """Return how far the correlation at f + g = bin / length stands out.

        float64 (length,): in medians of its surroundings, positive where it has the
        sign that interpolation gives it.
        """
        size = np.abs(self._pairs)
        width = max(15, self.length // 40) | 1
        padded = np.pad(size, width // 2, mode="wrap")
        windows = np.lib.stride_tricks.sliding_window_view(padded, width)
        medians = np.median(windows, axis=1)
        return self._pairs / (medians + 1e-9)

    def coherence(self, index: int) -> float:
        """Return the mean correlation of all pairs with f + g = `index` / length."""
        lowest = LOWEST * self.length
        highest = HIGHEST * self.length
        first = max(lowest, index - highest)
        last = min(highest, index - lowest)
        pairs = max(last - first, 1.0)
        count = pairs * max(self._lines, 1)
        return float(self._pairs[index] / count)

    def mirrored(self, eighth: int) -> float:
        """Return the correlation next to the mirror, for f + g = `eighth` / 8.

        1 if one side is the other's repetition, near 0 if it is not.
        """
        correlation, scale = self._mirror[eighth]
        return float(correlation / (scale + 1e-9))

    def power(self) -> np.ndarray:
        """Return the mean power spectrum of the texture, float64 (length // 2 + 1,)."""
        return self._without_difference(self._power)

    def detail(self) -> np.ndarray:
        """Return that of the lines with texture; not blurred by the texture's limits."""
        return self._without_difference(self._detail)

    def texture(self) -> float:
        """Return how many textured pixels a column has, in the mean."""
        return float(self._steps_count.mean())

    def steps(self) -> np.ndarray:
        """Return the mean absolute difference at each pixel, float64 (length,)."""
        return self._steps / np.maximum(self._steps_count, 1)

    def _without_difference(self, power: np.ndarray) -> np.ndarray:
        """Return the power spectrum of luma, from that of its differences."""
        bins = np.arange(len(power))
        frequencies = bins / self.length
        sines = np.sin(np.pi * frequencies)
        difference = 4 * sines**2
        luma = power / np.maximum(difference, 1e-6)
        return luma / max(self._lines, 1)


def _averaged(lines: Lines) -> Lines:
    """Return the means of two lines each: half the work, and less noise."""
    count = len(lines) // 2 * 2
    even = lines[0:count:2]
    odd = lines[1:count:2]
    return (even + odd) * np.float32(0.5)


def _texture(lines: Lines) -> tuple[np.ndarray, np.ndarray]:
    """Return the differences of neighbors, of equal energy where there is texture.

    Returns:
        float32 (count, length), 0 elsewhere; at index i, the step from pixel i - 1 to i.
        And which lines these are, int (count,).
    """
    right = lines[:, 2:]
    left = lines[:, 1:-1]
    steps = np.zeros_like(lines)
    steps[:, 2:] = right - left

    energy = cv2.blur(steps * steps, ENERGY_WINDOW)
    some = energy[::4, ::4]
    strongest = np.quantile(some, 1 - TEXTURED_SHARE)
    is_textured = energy > max(strongest, MIN_ENERGY)
    share = np.count_nonzero(is_textured, axis=1)
    order = np.argsort(-share, kind="stable")
    best = np.sort(order[:MAX_LINES])
    has_texture = share[best] > 0
    best = best[has_texture]

    scale = np.sqrt(energy[best] + 1e-6)
    scaled = steps[best] / scale
    is_textured = is_textured[best]
    texture = np.where(is_textured, scaled, np.float32(0))
    texture[:, :EDGE] = 0
    texture[:, -EDGE:] = 0
    return _without_columns(texture), best


def _without_columns(texture: np.ndarray) -> np.ndarray:
    """Return the differences with edges across most lines weakened."""
    squares = texture * texture
    energy = squares.sum(axis=0)
    highest = MAX_COLUMN * energy.mean() + 1e-6
    share = highest / np.maximum(energy, highest)
    weight = np.sqrt(share).astype(np.float32)
    return texture * weight


def _detail_power(lines: Lines) -> np.ndarray:
    """Return the power spectra of lines without their edges, each of the same energy."""
    _, length = lines.shape
    inside = lines[:, EDGE:-EDGE]
    window = np.hanning(length - 2 * EDGE)
    window = window.astype(np.float32)
    steps = np.diff(inside, axis=1) * window[1:]
    squares = steps * steps
    energy = squares.mean(axis=1, keepdims=True)
    scale = np.sqrt(energy) + 1e-3
    spectrum = fft.rfft(steps / scale, n=length, axis=1)
    return _power_of(spectrum)


def _power_of(spectrum: np.ndarray) -> np.ndarray:
    """Return the power summed over the lines."""
    real = spectrum.real
    imaginary = spectrum.imag
    power = real**2 + imaginary**2
    return power.sum(axis=0, dtype=np.float64)


def _pair_sums(spectrum: np.ndarray, power: np.ndarray, length: int) -> np.ndarray:
    """Return the whitened products at f and g, summed over all pairs, by bin of f + g.

    Real and positive for repetitions by a symmetric kernel: the smaller image's pixels
    are centered half of a period from the edge, which turns the phase by a half; so do
    the differences, by a quarter each.
    """
    lines = len(spectrum)
    bins = len(power)
    mean = power / lines
    window = (SMOOTHING, 1)
    smooth = cv2.blur(mean[None], window, borderType=cv2.BORDER_REFLECT)
    whitening = 1 / np.sqrt(smooth[0] + 1e-9)
    frequencies = np.arange(bins) / length
    in_band = (frequencies >= LOWEST) & (frequencies <= HIGHEST)
    weight = np.where(in_band, whitening, 0)
    weight = weight.astype(np.float32)

    analytic = np.zeros((lines, length), np.complex64)
    analytic[:, :bins] = spectrum * weight
    signal = fft.ifft(analytic, axis=1, overwrite_x=True)
    square = (signal * signal).sum(axis=0)
    pairs = fft.fft(square).real
    return pairs * length


def _mirror_sums(
    spectrum: np.ndarray, power: np.ndarray, index: int
) -> tuple[float, float]:
    """Return the products next to the mirror at `index` / 2, and their size if equal."""
    length = 2 * (len(power) - 1)
    offsets = np.arange(1, int(MIRROR_BAND * length) + 1)
    upper = (index + 1) // 2 + offsets
    lower = index - upper
    is_inside = (upper < len(power)) & (lower > 0)
    upper = upper[is_inside]
    lower = lower[is_inside]

    products = spectrum[:, upper] * spectrum[:, lower]
    correlation = products.sum().real
    above = power[upper].mean()
    below = power[lower].mean()
    size = np.sqrt(above * below) * len(upper)
    return float(correlation), float(size)


NOISE_BAND = (0.44, 0.49)
"""Cycles/pixel where there is least detail, whose power is taken for the noise's."""

ABOVE_NOISE = 2.0
"""Times the noise's power from which there is detail: as much of it as of noise."""

DETAIL_SMOOTHING = 0.02
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
    width = round(DETAIL_SMOOTHING * trace.length)
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
