"""Whether two pictures show the same, whatever moved in them and however bright they are."""

import cv2
import numpy as np

from realesrgan_paddle.utils.images import eight_bits

SMALL_SIZE = (96, 54)
"""Width and height of a small frame, whatever the shape of the video."""

LIKENESS_SIZE = (48, 27)
LIKENESS_BLOCK = (12, 9)
LIKENESS_REACH = (12, 6)
"""Width and height at which pictures are compared, of a block of them, and how far a
block may have moved each way; a quarter of the picture."""

MIN_BLOCK_DEVIATION = 2.0
"""Standard deviation [8-bit levels] below which a block cannot be found again."""

SAME_SHOT = 0.75
"""Correlation, after moving, of successive frames below which there is a cut.

Measured on six clips of soccer, streets and animation: 1,682 pairs of successive frames of
one shot have 0.77 to 1, and 0.77 to 0.96 with a flash on one of them; the seven cuts have
0.46 to 0.61, 600 pairs from two of the clips at most 0.70. Of frames from two soccer clips
5 % have more: grass from the same place.
"""


def shrink(image: np.ndarray) -> np.ndarray:
    """Return an image, uint8 RGB (H, W, 3), at `SMALL_SIZE`."""
    return cv2.resize(image, SMALL_SIZE, interpolation=cv2.INTER_AREA)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return how well the blocks of a small frame are found in another, -1 to 1.

    Brightness and contrast do not matter, and each block may have moved by a quarter
    of the picture. 1 for a picture without blocks that could be found.

    Args:
        one: uint8 RGB (54, 96, 3).
        other: the same.
    """
    luma, around = compared_luma(one), compared_luma(other)
    reach_x, reach_y = LIKENESS_REACH
    around = cv2.copyMakeBorder(
        around, reach_y, reach_y, reach_x, reach_x, cv2.BORDER_REPLICATE
    )
    width, height = LIKENESS_BLOCK
    total = weights = 0.0
    for top in range(0, LIKENESS_SIZE[1], height):
        for left in range(0, LIKENESS_SIZE[0], width):
            block = luma[top : top + height, left : left + width]
            weight = float(block.std())
            if weight < MIN_BLOCK_DEVIATION:
                continue
            bottom = top + height + 2 * reach_y
            right = left + width + 2 * reach_x
            window = around[top:bottom, left:right]
            match = cv2.matchTemplate(window, block, cv2.TM_CCOEFF_NORMED)
            total += weight * float(match.max())
            weights += weight
    return total / weights if weights else 1.0


def compared_luma(image: np.ndarray) -> np.ndarray:
    """Return the luma of a small frame, float32 (27, 48)."""
    small = cv2.resize(image, LIKENESS_SIZE, interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return luma.astype(np.float32)


def is_cut(before: np.ndarray, now: np.ndarray) -> bool:
    """Return whether two successive frames are of different shots; black is one too.

    Args:
        before: uint8 or uint16 RGB(A), (H, W, 3 or 4).
        now: the same.
    """
    one, other = (shrink(eight_bits(each[..., :3])) for each in (before, now))
    return min(likeness(one, other), likeness(other, one)) < SAME_SHOT
