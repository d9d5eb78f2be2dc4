"""How good a picture is to learn from, without a reference: sharpness, blockiness, contrast."""

from dataclasses import dataclass

import cv2
import numpy as np

TILE = 32
"""Side of the squares in which sharpness is measured [pixels]: a sharp subject before a soft background is sharp."""

SPAN = 9
"""How many samples are averaged to blur a picture again."""

LEAST_DETAIL = 2.0
"""Mean difference of neighbours [8-bit levels] below which a tile is flat: of it only noise could be judged."""

BLOCK = 8
"""Side of the blocks of JPEG, MPEG-2 and MPEG-4; H.264's are 4 and 8, so their borders lie on the same grid."""


@dataclass(frozen=True)
class Scores:
    """What is measured of one frame."""

    sharpness: float
    """0 (blurred) to 1; 0.6 to 0.75 for sharp footage. 0 for a picture without any detail."""
    detail: float
    """The share of the picture that is not flat, 0 to 1."""
    blockiness: float
    """0 (no borders of blocks) to about 3; 0.5 to 2 for JPEG of quality 30."""
    contrast: float
    """From the 1st to the 99th percentile of luma [8-bit levels]."""
    brightness: float
    """Mean luma [8-bit levels]."""

    @property
    def total(self) -> float:
        """One figure, 0 to 1, by which the better of two frames is told: sharp, not blocky, of full contrast."""
        return self.sharpness * min(1.0, self.contrast / 128) / (1 + self.blockiness)


def measure(luma: np.ndarray) -> Scores:
    """Return the scores of a picture, uint8 luma (H, W)."""
    sharp, detail = _sharpness(luma)
    low, high = np.percentile(luma[::2, ::2], [1, 99])
    return Scores(
        sharpness=sharp,
        detail=detail,
        # Half the rows, and half the columns, tell as much.
        blockiness=max(
            _blockiness(luma[::2]), _blockiness(np.ascontiguousarray(luma[:, ::2].T))
        ),
        contrast=float(high - low),
        brightness=float(luma.mean()),
    )


def share_of_detail(luma: np.ndarray) -> float:
    """Return the share, 0 to 1, of the whole tiles of a picture, uint8 luma (H, W), that are not flat.

    1 for a picture in which there is no room for a tile: it cannot be judged.
    """
    if min(luma.shape) < TILE + SPAN:
        return 1.0
    return _sharpness(luma)[1]


def _sharpness(luma: np.ndarray) -> tuple[float, float]:
    """Return how sharp the sharpest fifth of the tiles with detail is, and the share of such tiles.

    Crete et al. 2007, "The blur effect": blurring again, with the mean of 9 samples in
    a row, takes little from the differences of neighbours in a picture that was blurred
    before. Their measure of the worst direction, in tiles, and of the diagonals too,
    for things move in any direction. (The share that is lost, so 1 minus what they call
    blur.)
    """
    if min(luma.shape) < TILE + SPAN:
        return 0.0, 0.0
    sharp, detail = np.array(np.inf), np.array(0.0)
    for direction in ((0, 1), (1, 0), (1, 1), (1, -1)):
        before = _difference(luma, SPAN // 2, SPAN // 2 + 1, direction)
        # Neighbouring means of 9 share 8 samples: their difference is that of the two
        # samples at the ends. Rounded, for 8-bit arithmetic is six times as fast.
        after = cv2.convertScaleAbs(
            _difference(luma, 0, SPAN, direction), alpha=1 / SPAN
        )
        there = _tiles(before)
        sharp = np.minimum(
            sharp, _tiles(cv2.subtract(before, after)) / np.maximum(there, 1e-6)
        )  # negative is 0 here
        detail = np.maximum(detail, there)
    busy = detail >= LEAST_DETAIL
    return (
        (float(np.percentile(sharp[busy], 80)), float(busy.mean()))
        if busy.any()
        else (0.0, 0.0)
    )


def _difference(
    luma: np.ndarray, first: int, last: int, direction: tuple[int, int]
) -> np.ndarray:
    """Return |a - b|, uint8 (H - 9, W - 9), of two samples in each row of 10 that goes in a direction (down, right).

    `first` and `last` are the samples' places in the row, 0 to 9.
    """
    height, width = luma.shape[0] - SPAN, luma.shape[1] - SPAN
    ends = []
    for place in (first, last):
        y, x = (
            SPAN // 2 if step == 0 else place if step > 0 else SPAN - place
            for step in direction
        )
        ends.append(luma[y : y + height, x : x + width])
    return cv2.absdiff(*ends)


def _tiles(values: np.ndarray) -> np.ndarray:
    """Return the means of whole tiles of uint8 values, float64."""
    rows, columns = values.shape[0] // TILE, values.shape[1] // TILE
    corners = cv2.integral(values[: rows * TILE, : columns * TILE])[::TILE, ::TILE]
    return np.diff(np.diff(corners, axis=0), axis=1) / TILE**2


def _blockiness(luma: np.ndarray) -> float:
    """Return how much larger differences are at the borders of blocks than elsewhere, 0 for no more.

    After Wang, Bovik and Evans 2000, "Blind measurement of blocking artifacts": the
    differences of neighbours have a period of 8 columns. Here it is the excess of a
    difference over the two beside it, which texture has not. Its median is taken over
    the columns of each of the 8 positions, as a cropped picture may begin anywhere: a
    few straight lines are no blocks. Strong edges are held to 10 levels.
    """
    if luma.shape[1] < BLOCK + 3:
        return 0.0
    differences = cv2.absdiff(luma[:, 1:], luma[:, :-1]).astype(np.float32)
    excess = np.minimum(
        differences[:, 1:-1] - (differences[:, :-2] + differences[:, 2:]) / 2, 10
    ).mean(axis=0)
    whole = len(excess) // BLOCK * BLOCK
    positions = np.median(excess[:whole].reshape(-1, BLOCK), axis=0)
    activity = max(float(np.minimum(differences, 10).mean()), 0.5)
    return float(positions.max() - np.median(positions)) / activity
