"""Gradient directions of a frame on the small grid that overlays are searched on."""

import cv2
import numpy as np

from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import Size

ANALYSIS_HEIGHT = 480
"""Height [pixels] to which frames are downscaled.

The strokes of a logo are 2 pixels wide there, and it is fast. All sizes of the overlay
detectors are in pixels at this height.
"""

MAX_ANALYSIS_WIDTH = 4 * ANALYSIS_HEIGHT
"""Frames wider than 4:1 are squeezed to this; a line of pixels would take gigabytes."""

FULL_EDGE = 6.0
"""Gradient [8-bit levels a pixel] from which a pixel counts fully as an edge."""

BAR_MARGIN = 3
"""Left out beside a border, whose edge does not move either."""

BLOCKS = (24, 14)
"""Columns and rows of blocks in which the edges of two frames are compared."""

MIN_BLOCK_ENERGY = 0.02
"""Mean squared length of a block's directions below which it has no edges."""

MIN_BLOCK_AGREEMENT = 0.3
"""Correlation of a block's directions in two frames from which its edges agree.

Measured over whole frames: 0.3 to 0.8 for a still camera, -0.02 to 0.2 for others.
"""


def grid_size(width: int, height: int) -> Size:
    """Return the width and height at which frames of that size are analyzed."""
    columns = round(width * ANALYSIS_HEIGHT / height)
    columns = max(1, columns)
    return min(columns, MAX_ANALYSIS_WIDTH), ANALYSIS_HEIGHT


def gradient_directions(luma: np.ndarray) -> np.ndarray:
    """Return the unit vector of each pixel's gradient, float32 (2, H, W).

    Shorter than 1 where the gradient is weaker than `FULL_EDGE`.

    Args:
        luma: uint8 (H, W).
    """
    # The Sobel kernel's weights add up to 4 on each side.
    horizontal = cv2.Sobel(luma, cv2.CV_32F, 1, 0, scale=0.25)
    vertical = cv2.Sobel(luma, cv2.CV_32F, 0, 1, scale=0.25)

    length = cv2.magnitude(horizontal, vertical)
    np.maximum(length, FULL_EDGE, out=length)
    directions = np.stack([horizontal, vertical])
    directions /= length
    return directions


def clear_borders(
    directions: np.ndarray, content: Crop, frame_shape: tuple[int, ...]
) -> None:
    """Set directions outside and right at the borders of a frame to 0.

    Args:
        directions: float32 (2, rows, columns); changed.
        content: the part of the frame inside its borders, in its pixels.
        frame_shape: height and width of the frame [pixels].
    """
    _, rows, columns = directions.shape
    height, width = frame_shape
    left, right = _inside(content.x, content.right, columns / width, columns)
    top, bottom = _inside(content.y, content.bottom, rows / height, rows)

    directions[:, :top] = 0
    directions[:, bottom:] = 0
    directions[:, :, :left] = 0
    directions[:, :, right:] = 0


def _inside(start: int, end: int, factor: float, size: int) -> tuple[int, int]:
    """Return where content begins and ends on the grid, `BAR_MARGIN` off borders."""
    first, last = round(start * factor), round(end * factor)
    if start > 0:
        first += BAR_MARGIN
    if last < size:
        last -= BAR_MARGIN
    return first, last


def shrunken(luma: np.ndarray, size: Size) -> np.ndarray:
    """Return an image downscaled to a width and height, uint8.

    By halves first, which OpenCV averages many times as fast as other factors.
    """
    width, height = size
    rows, columns = luma.shape
    while rows >= 2 * height and columns >= 2 * width:
        rows //= 2
        columns //= 2
        half = (columns, rows)
        luma = cv2.resize(luma, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(luma, size, interpolation=cv2.INTER_LINEAR)


class Sketch:
    """Every third direction of a frame, to tell whether two frames are of one view."""

    def __init__(self, directions: np.ndarray) -> None:
        every_third = directions[:, ::3, ::3]
        self._directions = every_third.copy()
        self._energy = _block_sums(self._directions, self._directions)

    def same_view(self, other: "Sketch") -> float:
        """Return the share of two frames, where they have edges, whose edges agree.

        By blocks, so that an overlay, which agrees always, counts only where it is: 0.4
        to 1 for two frames of a still camera, 0 to 0.2 for different views.
        """
        together = _block_sums(self._directions, other._directions)
        has_edges = self._energy > MIN_BLOCK_ENERGY
        other_has_edges = other._energy > MIN_BLOCK_ENERGY

        scale = np.sqrt(self._energy * other._energy)
        agrees = together > MIN_BLOCK_AGREEMENT * scale
        agreeing = np.count_nonzero(agrees & has_edges & other_has_edges)
        most = max(np.count_nonzero(has_edges), np.count_nonzero(other_has_edges))
        return agreeing / most if most else 1.0


def _block_sums(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the mean product of two fields of directions in each block."""
    horizontal, vertical = one
    other_horizontal, other_vertical = other
    product = horizontal * other_horizontal
    product += vertical * other_vertical
    return cv2.resize(product, BLOCKS, interpolation=cv2.INTER_AREA)
