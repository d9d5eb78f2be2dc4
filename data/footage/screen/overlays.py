"""Overlays that stay in place in a video: scoreboards, channel logos, watermarks."""

import cv2
import numpy as np

from realesrgan_paddle.data.footage.views.hashes import HashIndex, perceptual_hash
from realesrgan_paddle.utils.crops import Crop

# Where no source is named, the value was chosen on the synthetic clips of
# tests/footage/test_frame_detectors.py, whose overlays are known.

ANALYSIS_HEIGHT = 480
"""Height [pixels] to which frames are downscaled.

The strokes of a logo are 2 pixels wide there, and it is fast. All sizes below are in
pixels at this height.
"""

MAX_ANALYSIS_WIDTH = 8 * ANALYSIS_HEIGHT
"""Frames wider than 8:1 are squeezed to this; a line of pixels would take gigabytes."""

FULL_EDGE = 6.0
"""Gradient [8-bit levels a pixel] from which a pixel counts fully as an edge."""

MIN_HASH_DISTANCE = 0.1
"""Distance of perceptual hashes from which a frame is new.

As the default of `Selection.min_difference`.
"""

MIN_FRAMES = 12
"""Fewer different frames than this are not enough to tell an overlay from scenery."""

MAX_FRAMES = 300
"""Frames that are looked at; more only cost time."""

MIN_MEAN_LENGTH = 0.5
"""Length of the mean gradient direction above which an edge is fixed.

1 if the direction is the same in all frames, near 0 if it is random.
"""

RANDOM_LENGTH = 9.2
"""-ln(0.0001), rounded: the mean of n random directions is longer than
sqrt(9.2 / n) with a probability of 1 in 10,000 (Rayleigh distribution)."""

CLOSING_SIZE = 11
"""Side of the morphological closing that joins letters and strokes into one box."""

MIN_SIDE = 8
"""Boxes narrower or lower than this are single edges."""

MIN_AREA = 400
"""Smaller boxes are scenery that happens to look alike, as far ahead of a car."""

MAX_AREA_SHARE = 0.1
"""Boxes larger than this share of the frame are scenery seen by a still camera."""

MIN_EDGE_DENSITY = 0.3
"""Share of a box that fixed edges must fill.

Measured: 0.33 to 0.7 for text and logos, 0.03 to 0.27 for a horizon with hills.
"""

BOX_MARGIN = 4
"""Added to each side of a box: the blurred outline of an overlay belongs to it."""

BAR_MARGIN = 3
"""Left out beside a black bar, whose edge does not move either."""

Size = tuple[int, int]
"""Width and height [pixels]."""


class OverlayFinder:
    """Adds up gradient directions over the frames of a video, to find fixed edges.

    After Dekel et al. 2017, "On the effectiveness of visible watermarks": over images
    of different scenes, gradients add up only where something is always the same. Here
    their directions are added up, so a strong edge counts no more than a weak one.
    Frames that look like an earlier one are skipped, so a video of a still camera has
    no overlays. Memory does not grow with the number of frames.
    """

    def __init__(self) -> None:
        self._seen = HashIndex()
        self._sum: np.ndarray | None = None
        self._count = 0

    def add(self, luma: np.ndarray, content: Crop) -> None:
        """Add the gradients of the next frame, unless it looks like an earlier one.

        Args:
            luma: uint8 (H, W).
            content: its part inside the black bars.
        """
        hash_ = perceptual_hash(luma)
        nearest = self._seen.nearest(hash_)
        looks_known = nearest is not None and nearest[1] < MIN_HASH_DISTANCE
        if looks_known or self._count == MAX_FRAMES:
            return

        self._seen.add("", hash_)
        grid = self._grid_size(luma)
        small = cv2.resize(luma, grid, interpolation=cv2.INTER_AREA)

        directions = _gradient_directions(small)
        directions *= _content_mask(content, luma.shape, grid)[..., None]
        self._sum = directions if self._sum is None else self._sum + directions
        self._count += 1

    def boxes(self, width: int, height: int) -> list[Crop]:
        """Return the boxes around overlays in a frame of `width` x `height` pixels.

        [] if there are none, or if too few frames were different.
        """
        if self._sum is None or self._count < MIN_FRAMES:
            return []

        mean_length = np.hypot(self._sum[..., 0], self._sum[..., 1]) / self._count
        threshold = max(MIN_MEAN_LENGTH, (RANDOM_LENGTH / self._count) ** 0.5)
        is_fixed = (mean_length > threshold).astype(np.uint8)

        grid = is_fixed.shape[1], is_fixed.shape[0]
        return [
            _in_frame(box, grid, (width, height))
            for box in _joined_boxes(is_fixed)
            if _is_overlay(box, is_fixed)
        ]

    def _grid_size(self, luma: np.ndarray) -> Size:
        """Return the width and height at which frames are analyzed."""
        if self._sum is not None:
            rows, columns, _ = self._sum.shape
            return columns, rows
        height, width = luma.shape
        columns = max(1, round(width * ANALYSIS_HEIGHT / height))
        return min(columns, MAX_ANALYSIS_WIDTH), ANALYSIS_HEIGHT


def _gradient_directions(luma: np.ndarray) -> np.ndarray:
    """Return the unit vector of each pixel's gradient, float32 (H, W, 2).

    Shorter than 1 where the gradient is weaker than `FULL_EDGE`.
    """
    values = luma.astype(np.float32)
    # The Sobel kernel's weights add up to 4 on each side.
    horizontal = cv2.Sobel(values, cv2.CV_32F, 1, 0, scale=0.25)
    vertical = cv2.Sobel(values, cv2.CV_32F, 0, 1, scale=0.25)

    magnitude = np.hypot(horizontal, vertical)
    length = np.maximum(magnitude, FULL_EDGE)
    gradient = np.dstack([horizontal, vertical])
    return gradient / length[..., None]


def _content_mask(
    content: Crop, frame_shape: tuple[int, ...], grid: Size
) -> np.ndarray:
    """Return 1 well inside the black bars, else 0, as float32 of the grid's size."""
    columns, rows = grid
    height, width = frame_shape
    across, down = columns / width, rows / height
    left, right = _without_bar_edges(content.x, content.right, across, columns)
    top, bottom = _without_bar_edges(content.y, content.bottom, down, rows)

    mask = np.zeros((rows, columns), np.float32)
    mask[top:bottom, left:right] = 1
    return mask


def _without_bar_edges(
    start: int, end: int, factor: float, size: int
) -> tuple[int, int]:
    """Return where content begins and ends on the grid, `BAR_MARGIN` away from bars."""
    start, end = round(start * factor), round(end * factor)
    if start > 0:
        start += BAR_MARGIN
    if end < size:
        end -= BAR_MARGIN
    return start, end


def _joined_boxes(is_fixed: np.ndarray) -> list[Crop]:
    """Return the bounding boxes of neighboring fixed edges, on the grid."""
    size = (CLOSING_SIZE, CLOSING_SIZE)
    kernel = np.ones(size, np.uint8)
    joined = cv2.morphologyEx(is_fixed, cv2.MORPH_CLOSE, kernel)
    _, _, components, _ = cv2.connectedComponentsWithStats(joined)

    boxes = []
    for x, y, width, height, _pixels in components.tolist():
        boxes.append(Crop(x, y, width, height))
    return boxes[1:]  # the first component is the background


def _is_overlay(box: Crop, is_fixed: np.ndarray) -> bool:
    """Return whether a box has the size and the density of text or a logo."""
    area = box.width * box.height
    if min(box.width, box.height) < MIN_SIDE:
        return False
    rows, columns = is_fixed.shape
    if not MIN_AREA <= area <= MAX_AREA_SHARE * rows * columns:
        return False
    return bool(box.of(is_fixed).mean() >= MIN_EDGE_DENSITY)


def _in_frame(box: Crop, grid: Size, frame: Size) -> Crop:
    """Return a box of the grid, with its margin, in a frame."""
    columns, rows = grid
    width, height = frame
    left, right = _range_in_frame(box.x, box.right, columns, width)
    top, bottom = _range_in_frame(box.y, box.bottom, rows, height)
    return Crop(left, top, right - left, bottom - top)


def _range_in_frame(
    start: int, end: int, grid_length: int, frame_length: int
) -> tuple[int, int]:
    """Return a box's start and end along one axis of a frame."""
    factor = frame_length / grid_length
    start = round((start - BOX_MARGIN) * factor)
    end = round((end + BOX_MARGIN) * factor)
    return max(0, start), min(frame_length, end)
