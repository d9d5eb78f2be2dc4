"""No-reference scores of an image: sharpness, blockiness, contrast."""

from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.data.statistics.edges import measure_edges

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


SOFT_FINENESS, SOFT_SHARPNESS, SHARPNESS_PER_FINENESS = 0.145, 0.42, 5.1
"""An image is at most as sharp as a line through these allows for its fineness.

A blurred texture can have edges that look steep; blurred by a Gaussian of sigma 2.5, or
by motion, its fineness is at most 0.145, and that of true HD 0.19 or more. Chosen on
the setting sources of docs/footage.md.
"""

RAMP_FINENESS, FULL_FINENESS = 1 / 9, 0.2
"""Fineness at which the total score is 0, and from which it is not lowered."""


HALVING_NOISE = 6.0
"""Noise [8-bit levels] that halves the total score.

Grain hides blocks and steepens what is between the edges, so without this it would win:
grain of sigma 4 on the frames of docs/footage.md raised the median from
0.40 to 0.52, and with it lowers it from 0.46 to 0.35.
"""


@dataclass(frozen=True)
class Scores:
    """The scores of one image."""

    sharpness: float
    """0 (blurred, or without edges) to 2/3; 0.45 to 0.66 for sharp footage.

    That of the edges, above the noise: grain does not raise it.
    """
    detail: float
    """Share of the image that is not flat, 0 to 1."""
    blockiness: float
    """0 (no block edges) to about 3; 0.5 to 2 for JPEG of quality 30."""
    contrast: float
    """From the 1st to the 99th percentile of luma [8-bit levels]."""
    brightness: float
    """Mean luma [8-bit levels]."""
    fineness: float = FULL_FINENESS
    """1/9 (blurred) to about 0.3; see `edges.Edges`."""
    noise: float = 0.0
    """Standard deviation of the noise in calm places [8-bit levels]."""

    @property
    def total(self) -> float:
        """The score that ranks frames, 0 to 1: sharp, without blocks and noise, full contrast.

        Of two that are equally sharp, that with the finer edges: those of an enlarged
        and sharpened image are steep, but not fine.
        """
        share = self.contrast / FULL_CONTRAST
        contrast = min(1.0, share)
        above_ramp = (self.fineness - RAMP_FINENESS) / (FULL_FINENESS - RAMP_FINENESS)
        fine = min(1.0, max(0.0, above_ramp))
        clean = 1 / (1 + self.blockiness) / (1 + self.noise / HALVING_NOISE)
        return self.sharpness * fine * contrast * clean


def measure(luma: np.ndarray) -> Scores:
    """Return the scores of an image, uint8 luma (H, W)."""
    edges = measure_edges(luma)
    above_soft = edges.fineness - SOFT_FINENESS
    most = SOFT_SHARPNESS + SHARPNESS_PER_FINENESS * above_soft
    low, high = np.percentile(luma[::2, ::2], CONTRAST_PERCENTILES)

    # Half of the rows, and half of the columns, give the same result in half the time.
    columns = _blockiness(luma[::2])
    rows = _blockiness(np.ascontiguousarray(luma[:, ::2].T))

    return Scores(
        sharpness=max(0.0, min(edges.steepness, most)),
        detail=edges.detail,
        blockiness=max(columns, rows),
        contrast=float(high - low),
        brightness=float(luma.mean()),
        fineness=edges.fineness,
        noise=edges.noise,
    )


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
    differences = cv2.absdiff(luma[:, 1:], luma[:, :-1])
    activity = float(cv2.mean(cv2.min(differences, MAX_STEP))[0])

    # 16-bit integers hold twice the excess, and are five times as fast as floats.
    left, middle = differences[:, :-2], differences[:, 1:-1]
    right = differences[:, 2:]
    beside = cv2.add(left, right, dtype=cv2.CV_16S)
    twice = cv2.add(middle, middle, dtype=cv2.CV_16S)
    clipped = cv2.min(cv2.subtract(twice, beside), 2 * MAX_STEP)
    by_column = clipped.mean(axis=0, dtype=np.float32) / 2

    whole_blocks = len(by_column) // BLOCK * BLOCK
    in_blocks = by_column[:whole_blocks].reshape(-1, BLOCK)
    by_position = np.median(in_blocks, axis=0)
    at_edges = by_position.max() - np.median(by_position)
    return float(at_edges) / max(activity, MIN_ACTIVITY)
