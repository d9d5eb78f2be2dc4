"""Overlays of a video of which some frames are mirrored."""

from collections.abc import Sequence

import numpy as np

from realesrgan_paddle.data.footage.screen.evidence import Evidence
from realesrgan_paddle.data.footage.screen.gradients import gradient_directions
from realesrgan_paddle.utils.crops import Crop

MIN_SAMPLES = 6
"""Fewer frames are not enough to tell which of them are mirrored."""

ROUNDS = 2
"""Rounds in which all frames are turned to agree with the others."""

MIN_MIRRORED_SHARE = 0.15
"""Share of mirrored frames below which the other frames suffice."""


MIN_OVERLAY_MATCH = 0.5
"""Correlation of an overlay in a frame with the mean, from which it is there.

Relative to that of the mean with itself."""


def mirrored_boxes(samples: Sequence[np.ndarray]) -> list[Crop]:
    """Return the boxes of overlays and of their mirror images; [] if none is mirrored.

    Args:
        samples: frames of different views, uint8 (H, W), all of one size.
    """
    if len(samples) < MIN_SAMPLES:
        return []
    fields = [gradient_directions(luma) for luma in samples]
    turned = _turned([field[:, ::3, ::3].copy() for field in fields])
    share = sum(turned) / len(turned)
    if not MIN_MIRRORED_SHARE <= share <= 1 - MIN_MIRRORED_SHARE:
        return []

    evidence = Evidence()
    for field, is_turned in zip(fields, turned, strict=True):
        evidence.add(_mirrored(field) if is_turned else field)

    columns = samples[0].shape[1]
    boxes = []
    for box in evidence.boxes():
        if _is_mirrored_in_some(box, evidence.directions, fields):
            boxes.append(box)
            boxes.append(Crop(columns - box.right, box.y, box.width, box.height))
    return boxes


def _is_mirrored_in_some(
    box: Crop, total: np.ndarray, fields: Sequence[np.ndarray]
) -> bool:
    """Return whether some frames show an overlay as it is, and some mirrored."""
    rows = slice(box.y, box.bottom)
    columns = slice(box.x, box.right)
    place = slice(None), rows, columns
    mean = total[place] / len(fields)
    least = MIN_OVERLAY_MATCH * float(np.vdot(mean, mean))

    plain = mirrored = 0
    for field in fields:
        as_is = float(np.vdot(mean, field[place]))
        turned = float(np.vdot(mean, _mirrored(field)[place]))
        plain += as_is > max(least, turned)
        mirrored += turned > max(least, as_is)
    return min(plain, mirrored) >= max(2, MIN_MIRRORED_SHARE * len(fields))


def _turned(fields: Sequence[np.ndarray]) -> list[bool]:
    """Return which frames must be mirrored so that the edges of all agree best."""
    turned = [False] * len(fields)
    total = fields[0].copy()
    for number, field in enumerate(fields[1:], 1):
        turned[number] = _agrees_mirrored(total, field)
        total += _mirrored(field) if turned[number] else field

    for _ in range(ROUNDS):
        for number, field in enumerate(fields):
            total -= _mirrored(field) if turned[number] else field
            turned[number] = _agrees_mirrored(total, field)
            total += _mirrored(field) if turned[number] else field
    return turned


def _agrees_mirrored(total: np.ndarray, field: np.ndarray) -> bool:
    """Return whether a frame agrees better with the sum of others when mirrored."""
    plain = np.vdot(total, field)
    mirrored = np.vdot(total, _mirrored(field))
    return bool(mirrored > plain)


def _mirrored(field: np.ndarray) -> np.ndarray:
    """Return the directions of the mirrored frame, float32 (2, H, W)."""
    mirrored = field[:, :, ::-1].copy()
    np.negative(mirrored[0], out=mirrored[0])
    return mirrored
