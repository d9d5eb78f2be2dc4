"""How steep the edges of an image are, above its noise: blur measured at edges only."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.data.statistics.tiles import TILE, means_of_parts

REACH = 9
"""Samples from one end of an edge to the other; from Crete et al. 2007."""

SHORT_REACH = 3
"""The same for `Edges.fineness`: a band limit of 1/6 cycles/pixel and less shows."""

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows and columns from a sample to the next, in which edges are crossed."""

ROW_STEP = 2
"""Edges are looked for in every so many rows: the same result in half the time."""

STRIP = 4 * TILE
"""Rows that are worked on at a time."""

MIN_TILE_DETAIL = 2.5
"""Difference of neighbors [8-bit levels, RMS] below which a tile is flat."""

MIN_EDGE = 20
"""Least step [8-bit levels] over `REACH` samples that counts as an edge."""

EDGE_TO_NOISE = 10.0
"""An edge's step, squared, is at least so many times the noise of neighbors, squared.

Chosen on frames with grain of sigma 2 to 12, blurred and not.
"""

MIN_SHARE, MAX_SHARE = 0.023, 0.875
"""Share of a tile on edges: with fewer it tells nothing, with more not its noise."""

MIN_TILES = 0.01
"""Share of the tiles that must have edges in a direction for it to be judged."""

CALM_PERCENTILE = 10
"""Percentile of the tiles' differences of neighbors that counts as noise."""

TEXTURE, GRAIN = 0.2, 0.42
"""Power of neighbors' differences over that of samples `SHORT_REACH` apart, in calm tiles.

Up to the one it is texture, which is no noise; from the other on it is noise. White noise
has 1, its JPEG of quality 50 0.43, grain blurred by sigma 0.7 0.42, calm tiles of true
footage 0.16 to 0.25.
"""

TILES_FOR_NOISE = 20
"""Of fewer tiles, the calmest tenth need not be calm; carphone's 176x144 have 20."""

NOISE_TOLERANCE = 1.5
"""A tile's noise is at most so many times that of the calm tiles; the rest is texture.

Grain depends on brightness; texture between edges must not be taken for it.
"""

LIT = (16, 240)
"""Limits of a tile's mean [8-bit levels]: black and clipped tiles lack noise."""

SHARPNESS_PERCENTILE = 80
"""An image is as sharp as the sharpest fifth of its tiles with edges."""


@dataclass(frozen=True)
class Edges:
    """The edges of an image, in the direction in which they are the least steep."""

    steepness: float
    """0 (ramps as long as `REACH`) to 2/3 (steps from one sample to the next)."""
    fineness: float
    """Power of neighbors' differences over that of samples `SHORT_REACH` apart.

    1/9 for ramps, 0.18 to 0.22 for true HD, 0.15 to 0.18 for enlarged x3, sharpened.
    """
    noise: float
    """Standard deviation of the noise in the calm tiles [8-bit levels]."""
    detail: float
    """Share of the tiles that are not flat, 0 to 1."""


NOTHING = Edges(0.0, 0.0, 0.0, 0.0)
"""Of an image too small for a tile, or black."""


@dataclass(frozen=True)
class _Crossing:
    """What is found in one direction; arrays of float32 (rows, columns) of tiles."""

    direction: tuple[int, int]
    near: np.ndarray
    """Mean squared difference of neighbors."""
    short: np.ndarray
    """The same of samples `SHORT_REACH` apart."""
    near_noise: float
    short_noise: float
    """What noise has of both, as found in the calm tiles."""


def measure_edges(luma: np.ndarray) -> Edges:
    """Return how steep the edges of an image, uint8 luma (H, W), are.

    Where the samples at both ends of a run of ten differ by much more than noise can, an
    edge is crossed; the power of the differences of neighbors there, above that of
    noise, says how much of the step lies between two of them. For a step that was
    blurred by a Gaussian of sigma s it is 1 / (2 sqrt(pi) s) of the step's power.
    Independent noise adds the same power on edges and beside them, so what is found
    beside them is subtracted. The scale is that of Crete et al. 2007: the share of the
    differences that is lost when a mean of nine blurs the image again.
    """
    if min(luma.shape) < TILE + REACH:
        return NOTHING
    lit = _lit_tiles(luma)
    if not lit.any():
        return NOTHING

    crossings = [_cross(luma, direction, lit) for direction in DIRECTIONS]
    power = np.median([crossing.near_noise for crossing in crossings])
    noise = float(np.sqrt(power / 2))
    strongest = np.max([crossing.near for crossing in crossings], axis=0)
    has_detail = strongest >= MIN_TILE_DETAIL**2
    detail = float(has_detail.mean())

    measured = [_measure(luma, crossing) for crossing in crossings]
    found = [pair for pair in measured if pair]
    if not found:
        return Edges(0.0, 0.0, noise, detail)
    steepness, fineness = np.min(found, axis=0)
    return Edges(float(steepness), float(fineness), noise, detail)


def _near_means(luma: np.ndarray, direction: tuple[int, int]) -> np.ndarray:
    """Return the mean squared difference of neighbors of each tile, float32."""
    means = []
    for strip in _strips(luma):
        power = _near_power(strip, direction)
        means.append(_tile_means(power))
    return np.concatenate(means)


def _cross(luma: np.ndarray, direction: tuple[int, int], lit: np.ndarray) -> _Crossing:
    """Return the differences of near samples in one direction.

    Args:
        luma: uint8 (H, W).
        direction: rows and columns from one sample to the next.
        lit: which tiles have noise.
    """
    near_means = _near_means(luma, direction)
    strips = _strips(luma)
    short = [_tile_means(_short_power(strip, direction)) for strip in strips]
    short_means = np.concatenate(short)

    near_calm = float(np.percentile(near_means[lit], CALM_PERCENTILE))
    short_calm = float(np.percentile(short_means[lit], CALM_PERCENTILE))
    ratio = near_calm / max(short_calm, 1e-3)
    noise = min(1.0, max(0.0, (ratio - TEXTURE) / (GRAIN - TEXTURE)))
    if lit.sum() < TILES_FOR_NOISE:
        noise = 0.0
    return _Crossing(
        direction=direction,
        near=near_means,
        short=short_means,
        near_noise=noise * near_calm,
        short_noise=noise * short_calm,
    )


def _measure(luma: np.ndarray, crossing: _Crossing) -> tuple[float, float] | None:
    """Return steepness and fineness in one direction; None without enough edges."""
    above_noise = np.sqrt(EDGE_TO_NOISE * crossing.near_noise)
    least = max(MIN_EDGE, float(above_noise))
    parts = []
    for strip in _strips(luma):
        parts.append(_on_edges(strip, crossing.direction, least))

    share, near, short, far = np.concatenate(parts, axis=1)
    judged = (share >= MIN_SHARE) & (share <= MAX_SHARE)
    needed = max(2, MIN_TILES * judged.size)
    if judged.sum() < needed:
        return None

    near_noise = _noise_on_edges(crossing.near, near, share, crossing.near_noise)
    short_noise = _noise_on_edges(crossing.short, short, share, crossing.short_noise)
    near_excess = np.maximum(near - near_noise, 0)[judged]
    short_excess = np.maximum(short - short_noise, 1e-3)[judged]
    far_noise = share * crossing.near_noise
    far_excess = (far - far_noise)[judged]

    steepness = near_excess / far_excess
    lost = _sharpest(steepness, far_excess)
    narrowness = near_excess / short_excess
    fineness = _sharpest(narrowness, far_excess)

    # A mean of nine leaves the difference of the ends, divided by nine.
    least_lost = 1 / REACH**2
    step = np.sqrt(max(lost, least_lost))
    left = 1 / (REACH * step)
    return 1 - left, fineness


def _sharpest(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value that `SHARPNESS_PERCENTILE` of the weight lies below.

    Strong edges weigh more than the slopes of a soft background.
    """
    order = np.argsort(values)
    ascending = values[order]
    up_to = np.cumsum(weights[order])

    wanted = SHARPNESS_PERCENTILE / 100 * up_to[-1]
    place = np.searchsorted(up_to, wanted)
    last = len(values) - 1
    return float(ascending[min(place, last)])


def _on_edges(
    strip: np.ndarray, direction: tuple[int, int], least: float
) -> np.ndarray:
    """Return the share of each tile on edges, and three powers there.

    The powers are those of differences of neighbors, of samples `SHORT_REACH` apart and
    `REACH` apart, as means over the tile with 0 beside the edges; float32 (4, rows,
    columns).
    """
    far = _difference(strip, 0, REACH, direction)
    _, on_edge = cv2.threshold(far, least, 1, cv2.THRESH_BINARY)
    mask = on_edge.astype(np.float32)
    far_power = cv2.multiply(far, far, dtype=cv2.CV_32F)
    near_power = _near_power(strip, direction)
    short_power = _short_power(strip, direction)

    powers = [mask]
    powers += [power * mask for power in (near_power, short_power, far_power)]
    return np.stack(list(map(_tile_means, powers)))


def _noise_on_edges(
    mean: np.ndarray, on_edges: np.ndarray, share: np.ndarray, calm: float
) -> np.ndarray:
    """Return what noise adds to the power on the edges of each tile.

    Args:
        mean: power in each tile.
        on_edges: that of its edges.
        share: share of the tile on edges.
        calm: power in the calm tiles.
    """
    beside = (mean - on_edges) / np.maximum(1 - share, 1 - MAX_SHARE)
    return share * np.minimum(beside, NOISE_TOLERANCE * calm)


def _strips(luma: np.ndarray) -> Iterator[np.ndarray]:
    """Yield strips of a few rows of tiles.

    The arrays of a strip fit into the processor's cache: four times as fast.
    """
    height = len(luma) - REACH
    rows = height // TILE * TILE
    for top in range(0, rows, STRIP):
        bottom = min(top + STRIP, rows)
        last = bottom + REACH
        yield luma[top:last]


def _lit_tiles(luma: np.ndarray) -> np.ndarray:
    """Return which tiles are neither black nor clipped, bool (rows, columns)."""
    means = []
    for strip in _strips(luma):
        middle = _samples_at(strip, REACH // 2, DIRECTIONS[0])
        means.append(_tile_means(middle))
    all_means = np.concatenate(means)
    return (all_means > LIT[0]) & (all_means < LIT[1])


def _near_power(strip: np.ndarray, direction: tuple[int, int]) -> np.ndarray:
    """Return the squared differences of neighbors, float32."""
    middle = REACH // 2
    near = _difference(strip, middle, middle + 1, direction)
    return cv2.multiply(near, near, dtype=cv2.CV_32F)


def _short_power(strip: np.ndarray, direction: tuple[int, int]) -> np.ndarray:
    """Return the squared differences of samples `SHORT_REACH` apart, float32."""
    first = (REACH - SHORT_REACH) // 2
    last = first + SHORT_REACH
    short = _difference(strip, first, last, direction)
    return cv2.multiply(short, short, dtype=cv2.CV_32F)


def _difference(
    luma: np.ndarray, first: int, last: int, direction: tuple[int, int]
) -> np.ndarray:
    """Return |a - b| of two samples of each run of ten in one direction.

    Args:
        luma: uint8 (H, W).
        first: place of one sample in the run, 0 to 9.
        last: place of the other.
        direction: rows and columns from one sample of the run to the next, -1 to 1.

    Returns:
        uint8, of every second row: ((H - 9 + 1) // 2, W - 9).
    """
    one = _samples_at(luma, first, direction)
    other = _samples_at(luma, last, direction)
    return cv2.absdiff(one, other)


def _samples_at(luma: np.ndarray, place: int, direction: tuple[int, int]) -> np.ndarray:
    """Return the samples at one place of the runs that start in every second row."""
    rows, columns = direction
    height, width = luma.shape
    in_rows = _range_at(place, rows, height)
    in_columns = _range_at(place, columns, width)
    samples = luma[in_rows, in_columns]
    return samples[::ROW_STEP]


def _range_at(place: int, step: int, length: int) -> slice:
    """Return the samples at `place` of all runs along one axis of `length`."""
    if step == 0:
        start = REACH // 2
    elif step > 0:
        start = place
    else:
        start = REACH - place
    return slice(start, start + length - REACH)


def _tile_means(values: np.ndarray) -> np.ndarray:
    """Return the mean of each whole tile of float32 values of every second row."""
    return means_of_parts(values, TILE // ROW_STEP, TILE)
