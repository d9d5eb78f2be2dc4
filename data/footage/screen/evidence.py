"""Sums over frames of different views, in which only overlays stay the same."""

import cv2
import numpy as np

from realesrgan_paddle.data.footage.screen.boxes import grown_to_panel, overlay_boxes
from realesrgan_paddle.utils.crops import Crop

MIN_FRAMES = 3
"""Fewer different views than this tell nothing."""

MIN_MEAN_LENGTH = 0.5
"""Length of the mean gradient direction above which an edge is fixed, in many frames.

1 if the direction is the same in all frames, near 0 if it is random.
"""

MAX_MEAN_LENGTH = 0.93
"""The same in few frames, where each must have the edge."""

RANDOM_LENGTH = 6.2
"""-ln(0.002), rounded: the mean of n random directions is longer than
sqrt(6.2 / n) with a probability of 1 in 500 (Rayleigh distribution)."""

MIN_ISOTROPY = 0.08
"""Quotient of the eigenvalues of a box's structure tensor.

Measured: 0.16 to 0.85 for lettering, 0.01 for lines on which a camera pans along.
"""

MIN_PANEL_EDGE = 0.4
"""Mean length of the directions from which most frames have an edge at a pixel."""

SURE_AREA = 1600
"""Pixels from which a box is an overlay whatever is around it."""

RING = (4, 14)
"""Distances from a box, between which its surroundings are looked at."""

MAX_AGREEMENT_AROUND = 1.13
"""Mean length of the directions around a smaller box, relative to that of edges, times
the square root of the number of frames.

0.89 if they are random, 0.9 to 1.1 around overlays. Far ahead of a car edges change
the more slowly the nearer they are to the vanishing point: 1.16 to 1.47.
"""

MAX_MEAN_EDGE = 0.12
"""Mean length of the directions up to which a pixel is flat in all frames."""


class Evidence:
    """Adds up gradient directions over frames, to find what is fixed.

    After Dekel et al. 2017, "On the effectiveness of visible watermarks": over images
    of different scenes, gradients add up only where something is always the same. Here
    their directions are added up, so a strong edge counts no more than a weak one.
    """

    def __init__(self) -> None:
        self.count = 0
        self._directions = np.zeros((2, 0, 0), np.float32)
        self._lengths = np.zeros((0, 0), np.float32)

    def add(self, directions: np.ndarray) -> None:
        """Add the directions of a frame's gradients, float32 (2, H, W)."""
        if not self.count:
            self._directions = np.zeros_like(directions)
            self._lengths = np.zeros_like(directions[0])

        self._directions += directions
        self._lengths += cv2.magnitude(directions[0], directions[1])
        self.count += 1

    def boxes(self) -> list[Crop]:
        """Return the boxes of overlays on the grid, without a margin; [] for none."""
        if self.count < MIN_FRAMES:
            return []
        is_fixed = self._is_fixed()
        is_flat = self._is_flat()
        found = overlay_boxes(is_fixed, is_flat)

        is_calm = is_flat | is_fixed
        has_edge = self._lengths >= MIN_PANEL_EDGE * self.count
        is_edge = has_edge.astype(np.uint8)
        boxes = []
        for box in found:
            if self._is_overlay(box, is_fixed):
                boxes.append(grown_to_panel(box, is_calm, is_edge))
        return boxes

    def _is_fixed(self) -> np.ndarray:
        """Return where an edge is fixed, uint8 0 or 1 (H, W)."""
        length = cv2.magnitude(self._directions[0], self._directions[1])
        least = min_length(self.count) * self.count
        is_fixed = length > least
        return is_fixed.astype(np.uint8)

    def _is_overlay(self, box: Crop, is_fixed: np.ndarray) -> bool:
        """Return whether a box is neither parallel lines nor scenery far ahead."""
        if self._isotropy(box, is_fixed) < MIN_ISOTROPY:
            return False
        if box.width * box.height >= SURE_AREA:
            return True
        return self._agreement_around(box) <= MAX_AGREEMENT_AROUND

    def _agreement_around(self, box: Crop) -> float:
        """Return how long the mean directions around a box are, 0.9 if by chance."""
        nearest, farthest = RING
        inner = _margin(box, nearest)
        outer = _margin(box, farthest)

        horizontal, vertical = self._directions
        length_inside = np.hypot(horizontal[inner], vertical[inner]).sum()
        length = np.hypot(horizontal[outer], vertical[outer]).sum()
        length_around = length - length_inside

        edges_inside = self._lengths[inner].sum()
        edges = self._lengths[outer].sum()
        edges_around = edges - edges_inside

        share = float(length_around / max(1e-6, edges_around))
        return share * self.count**0.5

    def _isotropy(self, box: Crop, is_fixed: np.ndarray) -> float:
        """Return how evenly the fixed edges of a box point in all directions.

        The quotient of the eigenvalues of the structure tensor: 0 for parallel lines.
        """
        is_edge = box.of(is_fixed) > 0
        horizontal, vertical = self._directions
        x = box.of(horizontal)[is_edge]
        y = box.of(vertical)[is_edge]

        across = float(x @ x)
        down = float(y @ y)
        both = float(x @ y)
        spread = float(np.hypot(across - down, 2 * both))
        total = across + down
        return (total - spread) / (total + spread + 1e-6)

    def _is_flat(self) -> np.ndarray:
        """Return where hardly any frame has an edge, uint8 0 or 1 (H, W)."""
        highest = MAX_MEAN_EDGE * self.count
        is_flat = self._lengths <= highest
        return is_flat.astype(np.uint8)


def _margin(box: Crop, width: int) -> tuple[slice, slice]:
    """Return the rows and columns of a box with a margin."""
    top = max(0, box.y - width)
    left = max(0, box.x - width)
    bottom = box.bottom + width
    right = box.right + width

    rows = slice(top, bottom)
    columns = slice(left, right)
    return rows, columns


def min_length(count: int) -> float:
    """Return the length of the mean direction of `count` frames that is no chance."""
    length = (RANDOM_LENGTH / count) ** 0.5
    return min(max(length, MIN_MEAN_LENGTH), MAX_MEAN_LENGTH)
