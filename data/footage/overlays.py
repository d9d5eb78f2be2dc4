"""What stays in its place while the pictures change: scoreboards, channel logos, watermarks."""

import cv2
import numpy as np

from realesrgan_paddle.data.footage.duplicates import HashIndex, perceptual_hash
from realesrgan_paddle.utils.crops import Crop

LINES = 480
"""Height at which frames are looked at: the strokes of a logo are 2 pixels wide there, and it is fast."""

EDGE = 6.0
"""Gradient [8-bit levels a pixel] from which a pixel counts fully as an edge."""

NEW = 0.1
"""Share of differing bits of the perceptual hash from which a frame tells something new."""

LEAST_FRAMES = 12
"""With fewer different frames nothing can be told."""

MOST_FRAMES = 300
"""More are not looked at."""

DENSITY = 0.3
"""Share of a box that fixed edges must fill: 0.33 to 0.7 of text and logos, 0.03 to 0.27 of a horizon with hills."""

LEAST_AREA = 400
"""Pixels of a box, at `LINES`, below which it is scenery that happens to look alike, as far ahead of a car."""

MOST_AREA = 0.1
"""Share of the frame beyond which a box is scenery, seen by a camera that does not move."""


class OverlayFinder:
    """Learns from frame after frame which edges do not move; takes no more memory for more frames.

    After Dekel et al. 2017, "On the effectiveness of visible watermarks": over pictures
    of different things, gradients add up only where something is always the same. Here
    the directions of the gradients are added up, so that one strong edge counts no more
    than a weak one. Frames that look like one before tell nothing and are left out; so
    a camera that does not move gives no overlays.
    """

    def __init__(self) -> None:
        self._seen = HashIndex()
        self._sum: np.ndarray | None = None
        self._count = 0

    def add(self, luma: np.ndarray, inside: Crop) -> None:
        """Look at a frame, uint8 luma (H, W); `inside` is its part within black bars."""
        hash_ = perceptual_hash(luma)
        nearest = self._seen.nearest(hash_)
        if self._count == MOST_FRAMES or (nearest and nearest[1] < NEW):
            return
        self._seen.add("", hash_)
        height, width = luma.shape
        size = (
            (max(1, round(width * LINES / height)), LINES)
            if self._sum is None
            else self._sum.shape[1::-1]
        )
        directions = _directions(cv2.resize(luma, size, interpolation=cv2.INTER_AREA))
        directions *= _mask(size, inside, width, height)[..., None]
        self._sum = directions if self._sum is None else self._sum + directions
        self._count += 1

    def boxes(self, width: int, height: int) -> list[Crop]:
        """Return the boxes around overlays in a frame of this size, [] where there are none or too few frames."""
        if self._sum is None or self._count < LEAST_FRAMES:
            return []
        # Of n random directions the mean is longer than r with a probability of exp(-n
        # r^2) (Rayleigh): 1 in 10,000.
        threshold = max(0.5, (9.2 / self._count) ** 0.5)
        fixed = (
            np.hypot(self._sum[..., 0], self._sum[..., 1]) / self._count > threshold
        ).astype(np.uint8)
        joined = cv2.morphologyEx(fixed, cv2.MORPH_CLOSE, np.ones((11, 11), np.uint8))
        lines, columns = fixed.shape
        boxes = []
        for x, y, w, h, _ in cv2.connectedComponentsWithStats(joined)[2][1:].tolist():
            fits = LEAST_AREA <= w * h <= MOST_AREA * lines * columns
            if (
                min(w, h) >= 8
                and fits
                and fixed[y : y + h, x : x + w].mean() >= DENSITY
            ):
                boxes.append(
                    _scaled(
                        x - 4,
                        y - 4,
                        w + 8,
                        h + 8,
                        width / columns,
                        height / lines,
                        width,
                        height,
                    )
                )
        return boxes


def _directions(luma: np.ndarray) -> np.ndarray:
    """Return the direction of the gradient, float32 (H, W, 2) of length 1, shorter where there is hardly an edge."""
    values = luma.astype(np.float32)
    gradient = np.stack(
        [cv2.Sobel(values, cv2.CV_32F, *axis, scale=0.25) for axis in ((1, 0), (0, 1))],
        axis=2,
    )
    length = np.hypot(gradient[..., 0], gradient[..., 1])
    return gradient / np.maximum(length, EDGE)[..., None]


def _mask(size: tuple[int, int], inside: Crop, width: int, height: int) -> np.ndarray:
    """Return 1 well inside the bars and 0 elsewhere, float32 (H, W): the edge of a bar does not move either."""
    mask = np.zeros((size[1], size[0]), np.float32)
    across, down = size[0] / width, size[1] / height
    left, right = (round(x * across) for x in (inside.x, inside.x + inside.width))
    top, bottom = (round(y * down) for y in (inside.y, inside.y + inside.height))
    mask[
        top + 3 * (top > 0) : bottom - 3 * (bottom < size[1]),
        left + 3 * (left > 0) : right - 3 * (right < size[0]),
    ] = 1
    return mask


def _scaled(
    x: int, y: int, w: int, h: int, across: float, down: float, width: int, height: int
) -> Crop:
    """Return a box in a frame of `width` x `height`, cut to it."""
    left, top = max(0, round(x * across)), max(0, round(y * down))
    right, bottom = (
        min(width, round((x + w) * across)),
        min(height, round((y + h) * down)),
    )
    return Crop(left, top, right - left, bottom - top)
