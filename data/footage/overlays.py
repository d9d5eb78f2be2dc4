"""Overlays that do not move while the scene does: scoreboards, channel logos, watermarks."""

import cv2
import numpy as np

from realesrgan_paddle.data.footage.duplicates import HashIndex, perceptual_hash
from realesrgan_paddle.utils.crops import Crop

# Where no source is named, the value was chosen on the synthetic clips of
# tests/footage/test_frame_detectors.py, whose overlays are known.

ANALYSIS_HEIGHT = 480
"""Height [pixels] to which frames are downscaled.

The strokes of a logo are 2 pixels wide there, and it is fast. All sizes below are in
pixels at this height.
"""

FULL_EDGE = 6.0
"""Gradient magnitude [8-bit levels a pixel] from which a pixel counts as a full edge."""

MIN_HASH_DISTANCE = 0.1
"""Distance of perceptual hashes from which a frame is new; as `Selection.min_difference`."""

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
"""Smaller boxes are scenery that happens to look alike, as far ahead of a moving car."""

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
        """Look at the next frame, uint8 luma (H, W); `content` is the part within bars."""
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

        across, down = width / is_fixed.shape[1], height / is_fixed.shape[0]
        return [
            _scaled(box, across, down, width, height)
            for box in _joined_boxes(is_fixed)
            if _is_overlay(box, is_fixed)
        ]

    def _grid_size(self, luma: np.ndarray) -> tuple[int, int]:
        """Return the width and height at which frames are analyzed."""
        if self._sum is not None:
            rows, columns, _ = self._sum.shape
            return columns, rows
        height, width = luma.shape
        return max(1, round(width * ANALYSIS_HEIGHT / height)), ANALYSIS_HEIGHT


def _gradient_directions(luma: np.ndarray) -> np.ndarray:
    """Return the unit vector of each pixel's gradient, float32 (H, W, 2).

    Shorter than 1 where the gradient is weaker than `FULL_EDGE`.
    """
    values = luma.astype(np.float32)
    # The Sobel kernel's weights add up to 4 on each side.
    horizontal = cv2.Sobel(values, cv2.CV_32F, 1, 0, scale=0.25)
    vertical = cv2.Sobel(values, cv2.CV_32F, 0, 1, scale=0.25)
    gradient = np.stack([horizontal, vertical], axis=2)

    magnitude = np.hypot(gradient[..., 0], gradient[..., 1])
    return gradient / np.maximum(magnitude, FULL_EDGE)[..., None]


def _content_mask(
    content: Crop, frame_shape: tuple[int, ...], grid: tuple[int, int]
) -> np.ndarray:
    """Return 1 well inside the black bars and 0 elsewhere, float32 of the grid's size."""
    columns, rows = grid
    across, down = columns / frame_shape[1], rows / frame_shape[0]
    left, right = _without_bar_edges(content.x, content.width, across, columns)
    top, bottom = _without_bar_edges(content.y, content.height, down, rows)

    mask = np.zeros((rows, columns), np.float32)
    mask[top:bottom, left:right] = 1
    return mask


def _without_bar_edges(
    start: int, length: int, factor: float, size: int
) -> tuple[int, int]:
    """Return where content begins and ends on the grid, `BAR_MARGIN` away from bars."""
    first, last = round(start * factor), round((start + length) * factor)
    if first > 0:
        first += BAR_MARGIN
    if last < size:
        last -= BAR_MARGIN
    return first, last


def _joined_boxes(is_fixed: np.ndarray) -> list[Crop]:
    """Return the bounding boxes of neighboring fixed edges, on the grid."""
    kernel = np.ones((CLOSING_SIZE, CLOSING_SIZE), np.uint8)
    joined = cv2.morphologyEx(is_fixed, cv2.MORPH_CLOSE, kernel)
    _, _, components, _ = cv2.connectedComponentsWithStats(joined)

    # The first component is the background; the last column is the number of pixels.
    return [Crop(*box) for box in components[1:, :4].tolist()]


def _is_overlay(box: Crop, is_fixed: np.ndarray) -> bool:
    """Return whether a box has the size and the density of text or a logo."""
    area = box.width * box.height
    if min(box.width, box.height) < MIN_SIDE:
        return False
    rows, columns = is_fixed.shape
    if not MIN_AREA <= area <= MAX_AREA_SHARE * rows * columns:
        return False
    return bool(box.of(is_fixed).mean() >= MIN_EDGE_DENSITY)


def _scaled(box: Crop, across: float, down: float, width: int, height: int) -> Crop:
    """Return a box of the grid, with its margin, in a frame of `width` x `height`."""
    left = max(0, round((box.x - BOX_MARGIN) * across))
    top = max(0, round((box.y - BOX_MARGIN) * down))
    right = min(width, round((box.x + box.width + BOX_MARGIN) * across))
    bottom = min(height, round((box.y + box.height + BOX_MARGIN) * down))
    return Crop(left, top, right - left, bottom - top)
