"""Boxes around fixed edges: text, logos, and panels with a flat inside."""

from collections.abc import Sequence

import cv2
import numpy as np

from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import Size

# Where no source is named, the value was chosen on the synthetic clips of tests/footage,
# whose overlays are known. Lengths are in pixels of the analysis grid.

MIN_SEED_DENSITY = 0.1
"""Share of the pixels around a fixed edge that must be fixed, too.

Less is chance: in a crowd some pixels are edges in all of a few frames.
"""

SEED_SIZE = 9
"""Side of the square in which they are counted."""

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

MIN_LONE_DENSITY = 0.18
"""The same for a box with nothing fixed around it; a ring-shaped logo has 0.28."""

MAX_DENSITY_AROUND = 0.1
"""Share of its density that the surroundings of such a box may have."""

MIN_PANEL_OUTLINE = 0.7
"""Share of the outline of a panel that must be fixed edges."""

OUTLINE_WIDTH = 5
"""Width of the strip along a box in which its outline is looked for."""

MIN_PANEL_FLATNESS = 0.7
"""Share of a panel that must be flat in all frames, or a fixed edge."""

BOX_MARGIN = 3
"""Added to each side of a box: the blurred outline of an overlay belongs to it."""


def overlay_boxes(is_fixed: np.ndarray, is_flat: np.ndarray) -> list[Crop]:
    """Return the boxes of text, logos and panels on the grid, without a margin.

    Args:
        is_fixed: where an edge is the same in all frames, uint8 0 or 1 (H, W).
        is_flat: where hardly any frame has an edge, uint8 0 or 1 (H, W).
    """
    dense = _without_single_pixels(is_fixed)
    if not dense.any():
        return []

    boxes = []
    for box in _joined_boxes(dense):
        if not _has_size(box, is_fixed.size):
            continue
        if _is_lettering(box, dense) or _is_panel(box, dense, is_flat):
            boxes.append(box)
    return boxes


def _without_single_pixels(is_fixed: np.ndarray) -> np.ndarray:
    """Return the fixed edges that have others around them."""
    size = (SEED_SIZE, SEED_SIZE)
    density = cv2.boxFilter(is_fixed.astype(np.float32), -1, size)
    is_dense = density >= MIN_SEED_DENSITY
    return is_fixed * is_dense.astype(np.uint8)


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


def grown_to_panel(box: Crop, is_calm: np.ndarray, is_edge: np.ndarray) -> Crop:
    """Return the panel that lettering stands on, if there is one, else the box.

    Args:
        box: around the lettering, on the grid.
        is_calm: where hardly any frame has an edge, or all have the same, uint8 (H, W).
        is_edge: where many frames have some edge, uint8 0 or 1 (H, W).
    """
    reach = 2 * max(box.width, box.height)
    rows, columns = is_calm.shape
    bottom = _panel_end(box.bottom, box.height, box.x, box.right, is_calm, is_edge)

    # The upper end is the lower one of the grid turned upside down; the ends to the
    # right and to the left are those of the transposed grid.
    calm = is_calm[::-1]
    edge = is_edge[::-1]
    rows_below_top = _panel_end(rows - box.y, box.height, box.x, box.right, calm, edge)
    top = rows - rows_below_top

    calm = is_calm.T
    edge = is_edge.T
    right = _panel_end(box.right, reach, top, bottom, calm, edge)

    calm = calm[::-1]
    edge = edge[::-1]
    start = columns - box.x
    columns_from_left = _panel_end(start, reach, top, bottom, calm, edge)
    left = columns - columns_from_left

    width = right - left
    height = bottom - top
    return Crop(left, top, width, height)


def _panel_end(
    end: int,
    reach: int,
    start: int,
    stop: int,
    is_calm: np.ndarray,
    is_edge: np.ndarray,
) -> int:
    """Return the row behind the lower edge of a panel; `end` if there is none.

    Args:
        end: the row behind the lettering.
        reach: how many rows to look at.
        start: the first column of the lettering.
        stop: the column behind it.
        is_calm: as in `grown_to_panel`.
        is_edge: the same.
    """
    calm = is_calm[end : end + reach, start:stop].mean(axis=1) >= MIN_PANEL_FLATNESS
    if calm.all():
        return end
    length = int(np.argmin(calm))
    edge = is_edge[end + length : end + length + OUTLINE_WIDTH - 2, start:stop]
    is_outline = edge.max(axis=0).mean() >= MIN_PANEL_OUTLINE
    return end + length + len(edge) - 1 if length and is_outline else end


def _has_size(box: Crop, frame_area: int) -> bool:
    """Return whether a box is neither a single edge nor the whole scene."""
    area = box.width * box.height
    if min(box.width, box.height) < MIN_SIDE:
        return False
    return MIN_AREA <= area <= MAX_AREA_SHARE * frame_area


def _is_lettering(box: Crop, is_fixed: np.ndarray) -> bool:
    """Return whether a box is as full of edges as text or a logo."""
    density = float(box.of(is_fixed).mean())
    if density < MIN_LONE_DENSITY:
        return False
    if density >= MIN_EDGE_DENSITY:
        return True

    margin = min(box.width, box.height) // 2
    around = is_fixed[
        max(0, box.y - margin) : box.bottom + margin,
        max(0, box.x - margin) : box.right + margin,
    ]
    edges_around = int(around.sum()) - int(box.of(is_fixed).sum())
    area_around = max(1, around.size - box.width * box.height)
    return edges_around / area_around <= MAX_DENSITY_AROUND * density


def _is_panel(box: Crop, is_fixed: np.ndarray, is_flat: np.ndarray) -> bool:
    """Return whether a box has a fixed rectangular outline and a flat inside."""
    edges = box.of(is_fixed)
    strips = (
        edges[:OUTLINE_WIDTH].max(axis=0),
        edges[-OUTLINE_WIDTH:].max(axis=0),
        edges[:, :OUTLINE_WIDTH].max(axis=1),
        edges[:, -OUTLINE_WIDTH:].max(axis=1),
    )
    if min(float(strip.mean()) for strip in strips) < MIN_PANEL_OUTLINE:
        return False
    is_calm = box.of(is_flat) | edges
    return bool(is_calm.mean() >= MIN_PANEL_FLATNESS)


def in_frame(box: Crop, grid: Size, frame: Size) -> Crop:
    """Return a box of the grid, with its margin, in a frame."""
    columns, rows = grid
    width, height = frame
    left, right = _range_in_frame(box.x, box.right, columns, width)
    top, bottom = _range_in_frame(box.y, box.bottom, rows, height)

    box_width = right - left
    box_height = bottom - top
    return Crop(left, top, box_width, box_height)


def _range_in_frame(
    start: int, end: int, grid_length: int, frame_length: int
) -> tuple[int, int]:
    """Return a box's start and end along one axis of a frame."""
    factor = frame_length / grid_length
    start = round((start - BOX_MARGIN) * factor)
    end = round((end + BOX_MARGIN) * factor)
    return max(0, start), min(frame_length, end)


def overlap(one: Crop, other: Crop) -> float:
    """Return the area that two boxes share, as a share of the smaller one."""
    area = one.width * one.height
    other_area = other.width * other.height
    return one.common_area(other) / min(area, other_area)


def union(boxes: Sequence[Crop]) -> Crop:
    """Return the smallest box around some boxes."""
    first = boxes[0]
    left, top = first.x, first.y
    right, bottom = first.right, first.bottom
    for box in boxes[1:]:
        left = min(left, box.x)
        top = min(top, box.y)
        right = max(right, box.right)
        bottom = max(bottom, box.bottom)

    width = right - left
    height = bottom - top
    return Crop(left, top, width, height)
