"""Copies: one moment twice, mirrored, zoomed, compressed again, or with a logo.

And which frames lie between copies: those of two videos of one recording.
"""

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from realesrgan_paddle.data.footage.views.candidates import FramePairs, Pair, strongest
from realesrgan_paddle.data.footage.views.features import HASH_BITS, align
from realesrgan_paddle.data.sets.manifest import Record
from realesrgan_paddle.data.sets.naming import MOMENT_SECONDS

# The values were chosen on copies made of the frames that benchmarks/footage/views.py
# names, against other moments of the same shots.

MAX_CHANGED = 0.002
"""Share of the picture that may differ: 260 pixels of a miniature.

Copies have 0 to 0.0002; players that move change 0.008 to 0.03, and less than 0.002
only within a second of a still wide shot: what the hash calls a near-duplicate.
"""

MIN_EQUAL_BITS = round(0.7 * HASH_BITS)
"""Equal bits of the perceptual hashes from which a pair is compared.

Of copies zoomed by 5 % 80 % are equal, by 8 % 64 %: those are found by their corners.
"""

STRETCHED_EQUAL_BITS = round(0.85 * HASH_BITS)
"""From which two pictures may lie on each other as they are, without an alignment."""

HASHES_PER_FRAME, VOTES_PER_FRAME = 2, 3
"""Pairs a frame that are compared: the nearest hashes, and most corners in common."""

MIN_VOTES = 20
"""Corners in common of a pair that is compared; copies have 60 and more."""

SMOOTHING = 1.5
"""Sigma [pixels of a miniature] that takes away what compression changes."""

TOLERANCE = 5
"""Side [pixels] of the square in which a value may lie: alignments are inexact."""

CHANGE = 12
"""Difference [8-bit levels, after brightness and contrast are matched] of a change."""

MIN_OVERLAP = 0.8
"""Share of one of two pictures that the other shows; a zoom of 8 % leaves 0.85."""

MIN_CROP = 0.2
"""Share of the other that this one shows: an upright part of a wide picture is 0.32."""

MAX_GAIN = 2.5
"""Change of contrast, either way, that is still a copy: +-20 % and fades are less."""

SATURATED = 245
"""Level [8-bit] from which a value may have been clipped, and says nothing."""

MIN_JUDGED = 0.3
"""Share of the picture that must be shown by both, and not clipped."""

OVERLAY_AREA = 0.1
"""Share of the picture up to which the largest change may be an overlay that was added.

A scoreboard has 1 to 3 %, a lower third 5 to 9 %.
"""


OVERLAY_GAP = (9, 25)
"""Rows and columns that part the changes by one overlay: of the rest of it, the picture
happens to have the color."""

OVERLAY_SLACK = 6
"""Rows by which the parts of one overlay may begin and end at other heights."""


def find_copies(
    comparisons: Sequence[FramePairs],
    groups: Sequence[Hashable],
    read: Callable[[int], np.ndarray],
) -> list[Pair]:
    """Return the pairs of frames that are copies.

    Args:
        comparisons: the features of all frames, plain and mirrored.
        groups: the shot of each frame; within one, frames are moments, no copies.
        read: returns a frame's miniature, uint8 (H, W).
    """
    numbers: dict[Hashable, int] = {}
    shots = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
    same_shot = shots[:, None] == shots

    found: set[Pair] = set()
    for compared in comparisons:
        votes = np.where(same_shot, 0, compared.votes)
        near = np.where(same_shot, 0, compared.equal_bits)
        likely = set(strongest(votes, VOTES_PER_FRAME, MIN_VOTES))
        likely.update(strongest(near, HASHES_PER_FRAME, MIN_EQUAL_BITS))
        for pair in sorted(likely - found):
            if _are_copies(compared, pair, read):
                found.add(pair)
    return sorted(found)


def _are_copies(
    compared: FramePairs, pair: Pair, read: Callable[[int], np.ndarray]
) -> bool:
    """Return whether two frames are copies."""
    one, other = pair
    first, second = read(one), read(other)
    if compared.is_mirrored:
        second = np.ascontiguousarray(second[:, ::-1])
    if compared.equal_bits[pair] >= STRETCHED_EQUAL_BITS:
        whole = _stretch(first, second)
        if changed_share(first, second, whole) <= MAX_CHANGED:
            return True

    alignment = align(compared.frames[one], compared.others[other])
    if alignment is None:
        return False
    return changed_share(first, second, alignment.matrix) <= MAX_CHANGED


def _stretch(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the matrix that takes the whole of one picture to the whole of another."""
    across = other.shape[1] / one.shape[1]
    down = other.shape[0] / one.shape[0]
    return np.diag([across, down, 1.0])


def changed_share(one: np.ndarray, other: np.ndarray, matrix: np.ndarray) -> float:
    """Return the share of the picture that differs once `one` lies on `other`.

    1 if they show too little in common, or their contrasts differ too much. A single
    compact change, as by a scoreboard or a logo, is left out.

    Args:
        one: miniature, uint8 (H, W).
        other: miniature, uint8 (h, w).
        matrix: takes points of `one` to `other`.
    """
    inverse = np.linalg.inv(matrix)
    shown = _laid(np.full_like(one, 255), other, matrix) == 255
    back = _laid(np.full_like(other, 255), one, inverse) == 255
    if back.mean() > shown.mean():  # a part is judged, not what lies around it
        one, other, matrix, shown, back = other, one, inverse, back, shown
    if shown.mean() < MIN_OVERLAP or back.mean() < MIN_CROP:
        return 1.0
    laid = _laid(one, other, matrix)
    clipped = np.maximum(laid, other) > SATURATED
    square = np.ones((TOLERANCE, TOLERANCE), np.uint8)
    judged = cv2.erode((shown & ~clipped).astype(np.uint8), square) > 0
    if judged.mean() < MIN_JUDGED:
        return 1.0

    laid = cv2.GaussianBlur(laid.astype(np.float32), (0, 0), SMOOTHING)
    target = cv2.GaussianBlur(other.astype(np.float32), (0, 0), SMOOTHING)
    laid = _matched(laid, target, judged)
    alike = judged & (np.abs(laid - target) < CHANGE)
    if alike.mean() < MIN_JUDGED:
        return 1.0
    laid = _matched(laid, target, alike)  # an overlay has no part in it now

    above = laid - cv2.dilate(target, square)
    below = cv2.erode(target, square) - laid
    changed = (np.maximum(above, below) > CHANGE) & judged
    return _area_without_overlay(changed) / int(judged.sum())


def _matched(laid: np.ndarray, target: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return a picture with the brightness and contrast that another has there."""
    gain = target[where].std() / max(laid[where].std(), 1e-3)
    gain = min(max(gain, 1 / MAX_GAIN), MAX_GAIN)
    return (laid - laid[where].mean()) * gain + target[where].mean()


def _laid(one: np.ndarray, other: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return a picture as it lies on another one, black where it shows nothing."""
    return cv2.warpPerspective(one, matrix, other.shape[1::-1])


def _area_without_overlay(changed: np.ndarray) -> int:
    """Return the pixels of a change, but for those in the box around its largest part.

    And around parts beside it, if that box is small enough for an overlay.
    """
    gap = np.ones(OVERLAY_GAP, np.uint8)
    joined = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, gap)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    total = int(changed.sum())
    if count < 2:
        return total

    parts = boxes[1:, :4]
    parts[:, 2:] += parts[:, :2]  # right and bottom, in place of width and height
    largest = parts[boxes[1:, cv2.CC_STAT_AREA].argmax()]
    # Of the rest of a bar, the picture may have the color: its parts are of one height.
    rows_differ = np.abs(parts[:, 1::2] - largest[1::2]).max(axis=1)
    of_overlay = parts[rows_differ <= OVERLAY_SLACK]
    left, top = of_overlay[:, :2].min(axis=0)
    right, bottom = of_overlay[:, 2:].max(axis=0)
    if (right - left) * (bottom - top) > OVERLAY_AREA * changed.size:
        return total
    inside = changed[top:bottom, left:right]
    return total - int(inside.sum())


SIZE_EXPONENT = 0.4
"""Power of the longer side in the quality.

Downscaling sharpens: two thirds of a frame have 1.06 times its sharpness, and so would
win without this. Measured with benchmarks/footage/views.py.
"""

MIN_SIZE_RATIO = 1.1
"""Ratio of the longer sides from which one of two copies may be enlarged."""

ENLARGED_EXPONENT = -0.18
"""Power of the ratio of the sides that the ratio of the sharpness of copies has.

Below it the larger one shows no more than the smaller one: measured -0.04 to -0.18 for
95 % of true detail, and -0.18 to -0.3 for enlarged copies.
"""


def quality(record: Record) -> float:
    """Return the quality of a frame among its copies; higher is better."""
    long_side = max(record["size"])
    return float(record["score"]) * long_side**SIZE_EXPONENT


def is_enlarged(record: Record, copy: Record) -> bool:
    """Return whether a frame is larger than its copy, but shows no more detail."""
    ratio = max(record["size"]) / max(copy["size"])
    if ratio < MIN_SIZE_RATIO or not copy["sharpness"]:
        return False
    sharpness = record["sharpness"] / copy["sharpness"]
    return float(sharpness) < ratio**ENLARGED_EXPONENT


def partners_of(pairs: Sequence[Pair]) -> dict[int, list[int]]:
    """Return the copies of each frame that has some."""
    partners: dict[int, list[int]] = {}
    for one, other in pairs:
        partners.setdefault(one, []).append(other)
        partners.setdefault(other, []).append(one)
    return partners


def rank_copies(
    records: Sequence[Record], partners: Mapping[int, Sequence[int]]
) -> list[tuple[bool, float, int]]:
    """Return what frames are ordered by, the best first; enlarged ones come last."""
    ranks = []
    for number, record in enumerate(records):
        others = [records[other] for other in partners.get(number, [])]
        enlarged = any(is_enlarged(record, other) for other in others)
        ranks.append((enlarged, -quality(record), number))
    return ranks


FEWEST_COPIES = 3
"""Copies with one difference of times from which two videos run in step there. A choice:
two may be chance, and a title that two videos share is seldom longer."""


def find_lesser_frames(
    sources: Sequence[str],
    seconds: Sequence[float],
    pairs: Sequence[Pair],
    ranks: Sequence[Any],
) -> dict[int, int]:
    """Return the frames to drop where two videos run in step, each with a copy near it.

    Two encodings give other key frames, most of which are no copies, yet moments of the
    other: trained on beside those held out of it, they would flatter the verdict. From the
    first to the last copy the video with fewer better ones gives none.

    Args:
        sources: the video of each frame.
        seconds: its time.
        pairs: frames that are copies.
        ranks: of each frame; of copies the lower is the better one.
    """
    by_videos: dict[tuple[str, str], list[Pair]] = {}
    for one, other in pairs:
        if sources[one] != sources[other]:
            by_videos.setdefault((sources[one], sources[other]), []).append(
                (one, other)
            )

    frames: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        frames.setdefault(source, []).append(number)

    lesser: dict[int, int] = {}
    for copies in by_videos.values():
        for stretch in _in_step(copies, seconds):
            wins = sum(1 if ranks[one] < ranks[other] else -1 for one, other in stretch)
            # The frame of the video that loses first.
            shown = stretch if wins < 0 else [pair[::-1] for pair in stretch]
            lost = np.array([seconds[worse] for worse, _ in shown])
            for number in frames[sources[shown[0][0]]]:
                if not lost.min() <= seconds[number] <= lost.max():
                    continue
                _, better = shown[np.abs(lost - seconds[number]).argmin()]
                # Of three encodings each may be lesser than the next; one must stay.
                if better not in lesser:
                    lesser.setdefault(number, better)
    return lesser


def _in_step(copies: Sequence[Pair], seconds: Sequence[float]) -> list[list[Pair]]:
    """Return the copies that two videos share with about the same difference of times."""
    by_lag = sorted(copies, key=lambda pair: seconds[pair[0]] - seconds[pair[1]])
    lags = [seconds[one] - seconds[other] for one, other in by_lag]
    steps = [later - lag for lag, later in itertools.pairwise(lags)]
    ends = [number + 1 for number, step in enumerate(steps) if step > MOMENT_SECONDS]
    stretches = [
        by_lag[start:end] for start, end in itertools.pairwise([0, *ends, len(by_lag)])
    ]
    return [
        stretch
        for stretch in stretches
        if min(len({pair[side] for pair in stretch}) for side in (0, 1))
        >= FEWEST_COPIES
    ]
