"""Overlays that jitter or drift by a few pixels from frame to frame."""

from collections.abc import Sequence

import cv2
import numpy as np

from realesrgan_paddle.data.footage.screen.boxes import (
    joined_boxes,
    overlap,
    without_single_pixels,
)
from realesrgan_paddle.data.footage.screen.evidence import Evidence
from realesrgan_paddle.data.footage.screen.gradients import gradient_directions
from realesrgan_paddle.utils.crops import Crop

MAX_SHIFT = 12
"""Pixels of the grid by which an overlay may move to each side of its first place.

Enough for +-6 pixels of a video of 480 lines or more.
"""

MIN_SAMPLES = 6
"""Fewer frames agree by chance once each may be shifted."""

COARSE = 2
"""Factor by which frames are downscaled to look for overlays that move."""

COARSE_FRAMES = 5
"""Frames that are compared at that size."""

WINDOW = (24, 16)
"""Width and height of the part that is looked for in other frames, downscaled."""

STEP = 2
"""Such a part is looked for around every so many pixels of the downscaled frame.

Divides `WINDOW`, so sums over parts are sums over whole blocks of `STEP` x `STEP`.
"""

MIN_ENERGY = 0.12
"""Mean squared length of directions that such a part must have, as lettering has."""

MIN_ISOTROPY = 0.4
"""How evenly such a part's edges point in all directions.

The quotient of the eigenvalues of its structure tensor: 0 for a line, 0.5 to 0.95 for
lettering. Lines match many other lines.
"""

MIN_MATCH = 0.38
"""Mean correlation with the best places in the other frames.

Measured on soccer and animation: 0.44 to 0.53 for logos, 0.38 or less for 99.9 % of
the places without one; what else passes is sorted out in full size.
"""

MAX_CANDIDATES = 4
"""Places that are looked at in full size."""

NEIGHBORHOOD = 90
"""Pixels around such a place in which the rest of the overlay is looked for."""

MIDDLE = 0.5
"""Share of width and height in which no overlay is looked for.

Logos that move stand at the sides. What a camera drives towards stands in the middle,
looks alike for a long time, and moves as slowly.
"""

ROUNDS = 2
"""Rounds in which each frame is shifted to agree with the others."""

Shift = tuple[int, int]
"""Columns and rows."""


def moving_boxes(samples: Sequence[np.ndarray]) -> list[Crop]:
    """Return boxes around all places of each overlay that moves a little.

    Args:
        samples: frames of different views, uint8 (H, W), all of one size.
    """
    if len(samples) < MIN_SAMPLES:
        return []

    boxes: list[Crop] = []
    for candidate in _candidates(samples):
        for box in _aligned_boxes(candidate, samples):
            is_new = all(overlap(box, known) == 0 for known in boxes)
            if is_new and not _is_in_the_middle(box, samples[0]):
                boxes.append(box)
    return boxes


def _is_in_the_middle(box: Crop, frame: np.ndarray) -> bool:
    """Return whether the center of a box lies in the middle of a frame, (H, W)."""
    height, width = frame.shape
    across = box.x + box.width / 2 - width / 2
    down = box.y + box.height / 2 - height / 2
    return abs(across) < MIDDLE * width / 2 and abs(down) < MIDDLE * height / 2


def _candidates(samples: Sequence[np.ndarray]) -> list[Crop]:
    """Return the places of the first frame that are found near by in some others."""
    step = len(samples) // COARSE_FRAMES
    fields = [_coarse_field(luma) for luma in samples[::step][:COARSE_FRAMES]]
    first = fields[0]
    matches = [_best_match(first, other) for other in fields[1:]]
    match = np.mean(matches, axis=0)
    match[~_is_like_lettering(first)[::STEP, ::STEP]] = 0

    width, height = WINDOW
    places: list[Crop] = []
    while len(places) < MAX_CANDIDATES and match.max() >= MIN_MATCH:
        row, column = np.unravel_index(int(np.argmax(match)), match.shape)
        left = max(0, STEP * int(column) - width // 2)
        top = max(0, STEP * int(row) - height // 2)
        rows = slice(top // STEP, (top + height) // STEP)
        columns = slice(left // STEP, (left + width) // STEP)
        match[rows, columns] = 0
        sides = left, top, width, height
        places.append(Crop(*(COARSE * side for side in sides)))
    return places


def _coarse_field(luma: np.ndarray) -> np.ndarray:
    """Return the gradient directions of a downscaled frame, float32 (2, H, W).

    H and W are multiples of `STEP`.
    """
    block = COARSE * STEP
    rows, columns = luma.shape[0] // block, luma.shape[1] // block
    size = columns * STEP, rows * STEP
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    return gradient_directions(small)


def _energy(field: np.ndarray) -> np.ndarray:
    """Return the mean squared length around each pixel, float32 (H, W)."""
    energy = _around(field[0] ** 2 + field[1] ** 2)
    return np.maximum(energy, 0)  # sums that were rounded


def _around(values: np.ndarray) -> np.ndarray:
    """Return the means of the parts around each pixel; 0 outside, float32 (H, W)."""
    return cv2.boxFilter(values, -1, WINDOW, borderType=cv2.BORDER_CONSTANT)


def _is_like_lettering(field: np.ndarray) -> np.ndarray:
    """Return where there are edges of many directions, bool (H, W)."""
    horizontal, vertical = field
    across = _around(horizontal**2)
    down = _around(vertical**2)
    both = _around(horizontal * vertical)

    total = across + down
    spread = np.sqrt((across - down) ** 2 + 4 * both**2)
    isotropic = total - spread >= MIN_ISOTROPY * (total + spread)
    return isotropic & (total >= MIN_ENERGY)


def _best_match(first: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how well the part around each pixel is found in another frame.

    Args:
        first: gradient directions, float32 (2, H, W).
        other: the same.

    Returns:
        The correlation at the best shift of the part around the first pixel of each
        block, float32 (H // STEP, W // STEP).
    """
    reach = MAX_SHIFT // COARSE
    padded = _padded(other, reach)
    energy = _energy(padded)
    own_energy = np.ascontiguousarray(_energy(first)[::STEP, ::STEP])
    _, rows, columns = first.shape
    size = columns // STEP, rows // STEP
    blocks = WINDOW[0] // STEP, WINDOW[1] // STEP

    best = np.zeros(own_energy.shape, np.float32)
    for y in range(2 * reach + 1):
        for x in range(2 * reach + 1):
            place = slice(y, y + rows), slice(x, x + columns)
            product = cv2.multiply(first[0], padded[0][place])
            product += cv2.multiply(first[1], padded[1][place])
            means = cv2.resize(product, size, interpolation=cv2.INTER_AREA)
            together = cv2.boxFilter(means, -1, blocks, borderType=cv2.BORDER_CONSTANT)

            there = energy[place][::STEP, ::STEP]
            scale = cv2.sqrt(own_energy * there) + 1e-6
            np.maximum(best, together / scale, out=best)
    return best


def _padded(field: np.ndarray, margin: int) -> np.ndarray:
    """Return a field with a margin of zeros."""
    return np.pad(field, ((0, 0), (margin, margin), (margin, margin)))


def _aligned_boxes(candidate: Crop, samples: Sequence[np.ndarray]) -> list[Crop]:
    """Return the boxes of what is fixed once all frames are shifted to agree."""
    frame = Crop(0, 0, samples[0].shape[1], samples[0].shape[0])
    candidate = _grown(candidate, 0, frame)
    area = _grown(candidate, NEIGHBORHOOD + MAX_SHIFT, frame)
    fields = [gradient_directions(area.of(luma)) for luma in samples]

    template = _moved(candidate, -area.x, -area.y)
    evidence, shifts = _aligned(template, fields)
    whole = _whole(template, evidence)
    if whole != template:
        evidence, shifts = _aligned(whole, fields)

    boxes = [box for box in evidence.boxes(samples[0].size) if box.touches(whole)]
    if not boxes:
        return []
    everywhere = _moved(_all_places(boxes, shifts), area.x, area.y)
    return [_grown(everywhere, 0, frame)]


def _aligned(
    template: Crop, fields: Sequence[np.ndarray]
) -> tuple[Evidence, list[Shift]]:
    """Return the sums over frames that are shifted by what the template has moved."""
    shifts = _shifts(template, fields)
    evidence = Evidence()
    for field, (x, y) in zip(fields, shifts, strict=True):
        evidence.add(np.roll(field, (-y, -x), axis=(1, 2)))
    return evidence, shifts


def _whole(template: Crop, evidence: Evidence) -> Crop:
    """Return the box around all fixed edges that are connected with the template."""
    is_fixed = without_single_pixels(evidence.is_fixed())
    left, top, right, bottom = template.right, template.bottom, 0, 0
    for box in joined_boxes(is_fixed):
        if box.touches(template):
            left, top = min(left, box.x), min(top, box.y)
            right, bottom = max(right, box.right), max(bottom, box.bottom)

    if right - left < template.width or bottom - top < template.height // 2:
        return template
    return Crop(left, top, right - left, bottom - top)


def _shifts(template: Crop, fields: Sequence[np.ndarray]) -> list[Shift]:
    """Return how far a part of the first frame has moved in each frame."""
    wanted = template.of(fields[0].transpose(1, 2, 0)).transpose(2, 0, 1)
    shifts: list[Shift] = []
    for _ in range(ROUNDS):
        shifts = []
        found = np.zeros_like(wanted)
        for field in fields:
            shift, part = _best_place(template, wanted, field)
            shifts.append(shift)
            found += part
        wanted = found / len(fields)
    return shifts


def _best_place(
    template: Crop, wanted: np.ndarray, field: np.ndarray
) -> tuple[Shift, np.ndarray]:
    """Return the shift at which a part agrees best with the wanted one, and the part."""
    padded = _padded(field, MAX_SHIFT)
    bottom = template.bottom + 2 * MAX_SHIFT
    right = template.right + 2 * MAX_SHIFT
    region = padded[:, template.y : bottom, template.x : right]
    match = np.sum(
        [
            cv2.matchTemplate(channel.copy(), part.copy(), cv2.TM_CCORR)
            for channel, part in zip(region, wanted, strict=True)
        ],
        axis=0,
    )
    y, x = (int(i) for i in np.unravel_index(int(np.argmax(match)), match.shape))
    part = region[:, y : y + template.height, x : x + template.width]
    return (x - MAX_SHIFT, y - MAX_SHIFT), part


def _moved(box: Crop, x: int, y: int) -> Crop:
    return Crop(box.x + x, box.y + y, box.width, box.height)


def _grown(box: Crop, margin: int, frame: Crop) -> Crop:
    """Return a box with a margin, within the frame."""
    left, top = max(0, box.x - margin), max(0, box.y - margin)
    right = min(frame.right, box.right + margin)
    bottom = min(frame.bottom, box.bottom + margin)
    return Crop(left, top, right - left, bottom - top)


def _all_places(boxes: Sequence[Crop], shifts: Sequence[Shift]) -> Crop:
    """Return the box around boxes at all their shifts."""
    left = min(box.x for box in boxes) + min(x for x, _ in shifts)
    top = min(box.y for box in boxes) + min(y for _, y in shifts)
    right = max(box.right for box in boxes) + max(x for x, _ in shifts)
    bottom = max(box.bottom for box in boxes) + max(y for _, y in shifts)
    return Crop(left, top, right - left, bottom - top)
