"""No-reference scores of an image: sharpness, blockiness, contrast."""

from dataclasses import dataclass

import cv2
import numpy as np

TILE = 32
"""Side [pixels] of the tiles in which sharpness is measured.

So a sharp subject in front of a soft background counts as sharp.
"""

BLUR_SPAN = 9
"""Samples in a row whose mean blurs the image again; from Crete et al. 2007."""

MIN_TILE_DETAIL = 2.0
"""Mean difference of neighbors [8-bit levels] below which a tile is flat.

Of a flatter tile the score would be that of its noise.
"""

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows and columns from a sample to the next, in which blur is measured."""

SHARPNESS_PERCENTILE = 80
"""An image is as sharp as the sharpest fifth of its tiles with detail."""

BLOCK = 8
"""Side [pixels] of the blocks of JPEG, MPEG-2 and MPEG-4.

Those of H.264 have 4 and 8, so their edges lie on the same grid.
"""

MAX_STEP = 10
"""Differences of neighbors [8-bit levels] are clipped to this in the blockiness.

So a few strong edges on the grid are not mistaken for blocks.
"""

MIN_ACTIVITY = 0.5
"""Lower limit of the mean difference [8-bit levels] that blockiness is divided by."""

CONTRAST_PERCENTILES = (1, 99)
"""Contrast is the distance of these percentiles of luma, not of single pixels."""

FULL_CONTRAST = 128
"""Contrast [8-bit levels] from which more of it does not raise the total score."""


@dataclass(frozen=True)
class Scores:
    """The scores of one image."""

    sharpness: float
    """0 (blurred, or without detail) to 1; 0.6 to 0.75 for sharp footage."""
    detail: float
    """Share of the image that is not flat, 0 to 1."""
    blockiness: float
    """0 (no block edges) to about 3; 0.5 to 2 for JPEG of quality 30."""
    contrast: float
    """From the 1st to the 99th percentile of luma [8-bit levels]."""
    brightness: float
    """Mean luma [8-bit levels]."""

    @property
    def total(self) -> float:
        """The score that ranks frames, 0 to 1: sharp, without blocks, full contrast."""
        share = self.contrast / FULL_CONTRAST
        contrast = min(1.0, share)
        return self.sharpness * contrast / (1 + self.blockiness)


def measure(luma: np.ndarray) -> Scores:
    """Return the scores of an image, uint8 luma (H, W)."""
    sharpness, detail = _sharpness(luma)
    low, high = np.percentile(luma[::2, ::2], CONTRAST_PERCENTILES)

    # Half of the rows, and half of the columns, give the same figure in half the time.
    columns = _blockiness(luma[::2])
    rows = _blockiness(np.ascontiguousarray(luma[:, ::2].T))

    return Scores(
        sharpness=sharpness,
        detail=detail,
        blockiness=max(columns, rows),
        contrast=float(high - low),
        brightness=float(luma.mean()),
    )


def detail_share(luma: np.ndarray) -> float:
    """Return the share of an image, uint8 luma (H, W), that is not flat, 0 to 1.

    1 for an image too small for a single tile, which cannot be judged.
    """
    if min(luma.shape) < TILE + BLUR_SPAN:
        return 1.0
    return _sharpness(luma)[1]


def _sharpness(luma: np.ndarray) -> tuple[float, float]:
    """Return the sharpness and the share of tiles with detail; 0, 0 for a tiny image.

    Crete et al. 2007, "The blur effect: perception and estimation with a new
    no-reference perceptual blur metric": blurring again, by a mean of 9 samples, takes
    little from the differences of neighbors where an image was blurred before. Ours is
    the share that is lost in the worst direction, so 1 minus their blur; per tile, and
    with the diagonals, for motion blur has any direction.
    """
    if min(luma.shape) < TILE + BLUR_SPAN:
        return 0.0, 0.0

    middle = BLUR_SPAN // 2
    sharpness, detail = np.array(np.inf), np.array(0.0)
    for direction in DIRECTIONS:
        before = _difference(luma, middle, middle + 1, direction)
        # Neighboring means of 9 share 8 samples, so their difference is that of the two
        # end samples. Rounded, because 8-bit arithmetic is six times as fast.
        ends = _difference(luma, 0, BLUR_SPAN, direction)
        after = cv2.convertScaleAbs(ends, alpha=1 / BLUR_SPAN)

        present = _tile_means(before)
        lost = _tile_means(cv2.subtract(before, after))  # saturates: never below 0
        sharpness = np.minimum(sharpness, lost / np.maximum(present, 1e-6))
        detail = np.maximum(detail, present)

    has_detail = detail >= MIN_TILE_DETAIL
    if not has_detail.any():
        return 0.0, 0.0
    sharpest = np.percentile(sharpness[has_detail], SHARPNESS_PERCENTILE)
    return float(sharpest), float(has_detail.mean())


def _difference(
    luma: np.ndarray, first: int, last: int, direction: tuple[int, int]
) -> np.ndarray:
    """Return |a - b| of two samples of each run of 10 in one direction.

    Args:
        luma: uint8 (H, W).
        first: place of one sample in the run, 0 to 9.
        last: place of the other.
        direction: rows and columns from one sample of the run to the next, -1 to 1.

    Returns:
        uint8 (H - 9, W - 9).
    """
    one = _samples_at(luma, first, direction)
    other = _samples_at(luma, last, direction)
    return cv2.absdiff(one, other)


def _samples_at(luma: np.ndarray, place: int, direction: tuple[int, int]) -> np.ndarray:
    """Return the samples at one place of all runs, uint8 (H - 9, W - 9)."""
    rows, columns = direction
    height, width = luma.shape
    in_rows = _range_at(place, rows, height)
    in_columns = _range_at(place, columns, width)
    return luma[in_rows, in_columns]


def _range_at(place: int, step: int, length: int) -> slice:
    """Return the samples at `place` of all runs along one axis of `length`."""
    if step == 0:
        start = BLUR_SPAN // 2
    elif step > 0:
        start = place
    else:
        start = BLUR_SPAN - place
    return slice(start, start + length - BLUR_SPAN)


def _tile_means(values: np.ndarray) -> np.ndarray:
    """Return the mean of each whole tile of uint8 values, float64."""
    height, width = values.shape
    bottom = height // TILE * TILE
    right = width // TILE * TILE
    whole_tiles = values[:bottom, :right]

    # Entry (y, x) of the integral image is the sum of everything above and left of it.
    at_corners = cv2.integral(whole_tiles)[::TILE, ::TILE]
    strips = np.diff(at_corners, axis=0)
    sums = np.diff(strips, axis=1)
    return sums / TILE**2


def _blockiness(luma: np.ndarray) -> float:
    """Return how much larger differences are at vertical block edges than elsewhere.

    After Wang, Bovik and Evans 2000, "Blind measurement of blocking artifacts in
    images": the differences of neighbors have a period of 8 columns. Here it is the
    excess of a difference over the two beside it, which texture does not have, as the
    median over the columns at each of the 8 positions: a few straight lines are no
    blocks, and a cropped image may begin at any position.

    Args:
        luma: uint8 (H, W).

    Returns:
        0 (no block edges) to about 3; 0 for an image that is too narrow.
    """
    if luma.shape[1] < BLOCK + 3:
        return 0.0
    differences = cv2.absdiff(luma[:, 1:], luma[:, :-1]).astype(np.float32)
    clipped = np.minimum(differences, MAX_STEP)
    activity = float(clipped.mean())

    left, middle = differences[:, :-2], differences[:, 1:-1]
    right = differences[:, 2:]
    excess = middle - (left + right) / 2
    by_column = np.minimum(excess, MAX_STEP).mean(axis=0)

    whole_blocks = len(by_column) // BLOCK * BLOCK
    in_blocks = by_column[:whole_blocks].reshape(-1, BLOCK)
    by_position = np.median(in_blocks, axis=0)
    at_edges = by_position.max() - np.median(by_position)
    return float(at_edges) / max(activity, MIN_ACTIVITY)
