"""What pictures are compared by: hashes, and corners by which two pictures align."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.utils.crops import Crop

FREQUENCIES = 16
"""Lowest frequencies along each axis that make up a hash.

Zauner 2010 (below) uses 8, with which all wide shots of a football pitch are alike.
"""

HASH_BITS = FREQUENCIES * FREQUENCIES
"""Length of a hash; the bit of the mean (frequency 0, 0) is always 0."""

HASHED_SIDE = 4 * FREQUENCIES
"""Side [pixels] of the square that is hashed: 4 per frequency, as in Zauner 2010."""

INITIAL_CAPACITY = 64
"""Hashes that an index makes room for at first; the room doubles when it is full."""

_BIT_COUNTS = np.array([value.bit_count() for value in range(256)], np.uint8)


def perceptual_hash(luma: np.ndarray) -> np.ndarray:
    """Return the DCT hash of an image; it ignores size, brightness and contrast.

    A bit tells whether one of the low frequencies of the cosine transform is above
    their median: Zauner 2010, "Implementation and benchmarking of perceptual image hash
    functions".

    Args:
        luma: uint8 (H, W).

    Returns:
        uint8 (32,): the bits, eight to a byte.
    """
    size = (HASHED_SIDE, HASHED_SIDE)
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)

    frequencies = cv2.dct(small.astype(np.float32))
    lowest = frequencies[:FREQUENCIES, :FREQUENCIES].ravel()

    # The first one is the mean: brightness alone.
    bits = lowest > np.median(lowest[1:])
    bits[0] = False
    return np.packbits(bits)


def hash_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of bits that differ: 0 for equal, 0.5 for unrelated images."""
    counts = _BIT_COUNTS[first ^ second]
    differing = counts.sum()
    return float(differing) / HASH_BITS


class HashIndex:
    """The hashes of all frames of a set with their names; 32 bytes a frame."""

    def __init__(self) -> None:
        self._hashes = np.empty((0, HASH_BITS // 8), np.uint8)
        self._names: list[str] = []

    def add(self, name: str, hash_: np.ndarray) -> None:
        """Add the hash of the frame called `name`."""
        count = len(self._names)
        if count == len(self._hashes):
            added = max(INITIAL_CAPACITY, count)
            room = np.empty((added, HASH_BITS // 8), np.uint8)
            self._hashes = np.concatenate([self._hashes, room])

        self._hashes[count] = hash_
        self._names.append(name)

    def nearest(self, hash_: np.ndarray) -> tuple[str, float] | None:
        """Return the name and distance of the nearest hash; None if there is none."""
        if not self._names:
            return None
        known = self._hashes[: len(self._names)]
        differing = _BIT_COUNTS[known ^ hash_].sum(axis=1)
        best = int(np.argmin(differing))
        distance = float(differing[best]) / HASH_BITS
        return self._names[best], distance


MAX_CORNERS = 400
"""Corners of a picture; 4 ms and 16 kB."""

SCALE_STEP, SCALES = 1.2, 6
"""Sizes at which corners are looked for: from 1 to 1.2^5 = 2.5, for other zooms."""

FAST_THRESHOLD = 7
"""Contrast [8-bit levels] of a corner; OpenCV's 20 finds next to none on grass."""

DESCRIPTOR_BITS = 256
"""Length of a descriptor of ORB."""

MAX_RATIO = 0.8
"""Distance of the best match, divided by that of the second best; from Lowe 2004."""

MIN_MATCHES = 8
"""Fewer do not tell a homography (4 points) from chance."""

FIT_TOLERANCE = 2.0
"""Distance [pixels of a miniature] up to which a match follows a homography."""

FIT_ITERATIONS = 500
"""For matches of which a quarter is right, 500 samples of 4 find them with 86 %."""

GRID_COLUMNS, GRID_ROWS = 8, 6
"""Cells of a picture in which inliers are counted, so a logo alone is no view."""

MAX_ZOOM = 3.0
"""Homographies that magnify more, or shrink more, are chance."""

MAX_PERSPECTIVE = 0.5
"""Change of scale from one edge to the other, as the bottom row of a homography says,
above which it is chance: cameras turn and zoom, but seldom drive past what they show."""


@dataclass(frozen=True)
class Corners:
    """The corners of a picture."""

    points: np.ndarray
    """float32 (N, 2): x, y [pixels]."""
    descriptors: np.ndarray
    """uint8 (N, 32) of ORB, (N, 128) of SIFT."""
    size: tuple[int, int]
    """Width and height of the picture."""


@dataclass(frozen=True)
class Alignment:
    """A homography between two pictures."""

    matrix: np.ndarray
    """float64 (3, 3): takes points of the first to the second."""
    inliers: int
    """Matches that follow it."""
    cells: int
    """Of the `GRID_COLUMNS` x `GRID_ROWS` cells of the first, those with an inlier."""


def find_corners(luma: np.ndarray, masked: Sequence[Crop] = ()) -> Corners:
    """Return the corners of a picture, uint8 (H, W), outside the boxes `masked`."""
    detector = cv2.ORB.create(
        MAX_CORNERS, SCALE_STEP, SCALES, fastThreshold=FAST_THRESHOLD
    )
    return detect(detector, luma, masked)


def detect(
    detector: cv2.Feature2D, luma: np.ndarray, masked: Sequence[Crop]
) -> Corners:
    """Return a detector's corners of a picture; see `find_corners`."""
    mask = np.full(luma.shape, 255, np.uint8)
    for box in masked:
        box.of(mask)[...] = 0

    corners, found = detector.detectAndCompute(luma, mask)
    points = np.array([corner.pt for corner in corners], np.float32).reshape(-1, 2)
    if found is None:
        found = np.empty((0, detector.descriptorSize()))
    # SIFT's are whole numbers up to 255, too.
    return Corners(points, found.astype(np.uint8), luma.shape[1::-1])


def align(one: Corners, other: Corners) -> Alignment | None:
    """Return the homography that most matches of two pictures follow; None for none."""
    first, second = _matched_points(one, other)
    return fit(first, second, one.size)


def fit(
    first: np.ndarray, second: np.ndarray, size: tuple[int, int]
) -> Alignment | None:
    """Return the homography that most matches follow; None for none.

    Args:
        first: points in the first picture, float32 (N, 2).
        second: the points in the second one that they match.
        size: width and height of the first one.
    """
    if len(first) < MIN_MATCHES:
        return None
    matrix, followed = cv2.findHomography(
        first, second, cv2.USAC_MAGSAC, FIT_TOLERANCE, maxIters=FIT_ITERATIONS
    )
    if matrix is None or not _is_plausible(matrix, size):
        return None

    inliers = followed.ravel().astype(bool)
    width, height = size
    columns = first[inliers, 0] * GRID_COLUMNS // width
    rows = first[inliers, 1] * GRID_ROWS // height
    cells = np.unique(rows * GRID_COLUMNS + columns)
    return Alignment(matrix, int(inliers.sum()), len(cells))


def _matched_points(one: Corners, other: Corners) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of both pictures that match, float32 (N, 2) each."""
    if min(len(one.points), len(other.points)) < MIN_MATCHES:
        return one.points[:0], other.points[:0]

    # Of vectors of +1 and -1, the product says how many bits are equal: faster than
    # counting them.
    similarity = _signs(one.descriptors) @ _signs(other.descriptors).T
    nearest, mutual, most, next_most = two_best(similarity)
    best = (DESCRIPTOR_BITS - most) / 2
    second = (DESCRIPTOR_BITS - next_most) / 2
    chosen = mutual & (best < MAX_RATIO * second)
    return one.points[chosen], other.points[nearest[chosen]]


def two_best(
    similarity: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return how each row's best columns stand out.

    Args:
        similarity: float32 (N, M), M at least 2; changed.

    Returns:
        (N,) each: the best column, whether the row is the best one of that column, too,
        and the largest and the second largest value.
    """
    rows = np.arange(len(similarity))
    nearest = similarity.argmax(axis=1)
    mutual = similarity.argmax(axis=0)[nearest] == rows
    best = similarity[rows, nearest]
    similarity[rows, nearest] = -np.inf
    return nearest, mutual, best, similarity.max(axis=1)


def _signs(descriptors: np.ndarray) -> np.ndarray:
    """Return the bits of descriptors as -1 and 1, float32 (N, 256)."""
    bits = np.unpackbits(descriptors, axis=1)
    return bits.astype(np.float32) * 2 - 1


def _is_plausible(matrix: np.ndarray, size: tuple[int, int]) -> bool:
    """Return whether a camera that turns and zooms can have moved a picture so."""
    width, height = size
    middle = np.array([width / 2, height / 2, 1])
    depth = float(matrix[2] @ middle)
    if depth <= 0:
        return False
    tilt = (abs(matrix[2, 0]) * width + abs(matrix[2, 1]) * height) / depth
    if tilt > MAX_PERSPECTIVE * 2:
        return False
    x, y, _ = matrix @ middle / depth
    # The derivative of the homography at the middle: how it zooms there.
    jacobian = (matrix[:2, :2] - np.outer([x, y], matrix[2, :2])) / depth
    area = float(np.linalg.det(jacobian))
    return MAX_ZOOM**-2 < area < MAX_ZOOM**2
