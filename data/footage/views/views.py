"""Views: frames that show the same place, by whatever camera position and zoom.

The corners by which views are found (ORB) are fast enough for all frames, but miss
places seen from far apart. So validation images are compared once more, with the
training images likeliest to show the same, by SIFT: the corners and descriptors of Lowe
2004, "Distinctive image features from scale-invariant keypoints", with the distance of
Arandjelovic and Zisserman 2012, "Three things everyone should know to improve object
retrieval".
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import zip_longest

import cv2
import numpy as np

from realesrgan_paddle.data.footage.split import TRAIN, VAL
from realesrgan_paddle.data.footage.views.candidates import FramePairs, Pair, strongest
from realesrgan_paddle.data.footage.views.features import (
    MAX_RATIO,
    Alignment,
    Corners,
    align,
    detect,
    fit,
    two_best,
)
from realesrgan_paddle.utils.crops import Crop

MIN_INLIERS = 9
"""Matches that must follow one homography.

Measured with benchmarks/footage/views.py on frames of five stadiums: frames of two
stadiums never have more than 5; with 9, 98 % of the pairs that have over 60 at full
size with SIFT are in one view.
"""

MIN_CELLS = 5
"""Cells of the picture, of 48, in which they must lie; a logo fills 1 to 3."""

PER_FRAME = 2
"""Pairs a frame that are compared in each round, those with most votes first.

With 4, no more pairs of benchmarks/footage/views.py are in one view.
"""

ROUNDS = 3
"""After each, pairs that are in one view by now make room for others."""

MIN_VOTES = 4
"""Pairs with fewer are not compared."""


def find_views(
    comparisons: Sequence[FramePairs],
    groups: Sequence[Hashable],
    copies: Sequence[Pair] = (),
) -> list[int]:
    """Return the number of each frame's view: that of the view's first frame.

    Args:
        comparisons: the features of all frames, plain and mirrored.
        groups: what frames that are in one view anyway have in common: the shot.
        copies: pairs that are in one view anyway.
    """
    views = _Sets(len(groups))
    first_of: dict[Hashable, int] = {}
    for number, group in enumerate(groups):
        views.join(number, first_of.setdefault(group, number))
    for one, other in copies:
        views.join(one, other)

    tables = [compared.votes.copy() for compared in comparisons]
    for _ in range(ROUNDS):
        for compared, votes in zip(comparisons, tables, strict=True):
            labels = np.array(views.labels())
            votes[labels[:, None] == labels] = 0
            for one, other in strongest(votes, PER_FRAME, MIN_VOTES):
                votes[one, other] = votes[other, one] = 0
                if views.find(one) == views.find(other):
                    continue
                alignment = align(compared.frames[one], compared.others[other])
                if _follow(alignment, MIN_INLIERS, MIN_CELLS):
                    views.join(one, other)
    return views.labels()


def join_views(views: Sequence[int], pairs: Sequence[Pair]) -> list[int]:
    """Return the views of `find_views` after those of some pairs became one."""
    joined = _Sets(len(views))
    for number, view in enumerate(views):
        joined.join(number, view)
    for one, other in pairs:
        joined.join(one, other)
    return joined.labels()


def _follow(alignment: Alignment | None, inliers: int, cells: int) -> bool:
    """Return whether so many corners, in so many cells, show that two are one view."""
    if alignment is None:
        return False
    return alignment.inliers >= inliers and alignment.cells >= cells


class _Sets:
    """Disjoint sets of numbers, each named by its least one."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def find(self, number: int) -> int:
        """Return the name of the set that a number is in."""
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make one set of those that two numbers are in."""
        first, second = sorted([self.find(one), self.find(other)])
        self._parents[second] = first

    def labels(self) -> list[int]:
        """Return the name of each number's set."""
        return [self.find(number) for number in range(len(self._parents))]


MAX_SIFT_CORNERS = 600
"""Corners of a picture; 60 ms and 77 kB, and a comparison takes 3 ms.

With 1000, the same places are told apart.
"""

MIN_CONTRAST = 0.02
"""OpenCV's 0.04 finds too few corners in grass and in stands."""

BINS = (4, 4, 8)
"""A descriptor: rows, columns, and directions of the gradient."""

MIN_SIFT_INLIERS = 14
MIN_SIFT_CELLS = 7
"""What two pictures of one place have in common.

Measured with benchmarks/footage/views.py on frames of five stadiums: of two stadiums,
no frames have over 9 inliers in 6 cells, and none has inliers in 7; of the pairs that
have over 60 at full size and were missed, all have 27 or more, in 7 to 11.
"""

LIKELY_VIEWS, PER_VIEW = 8, 3
"""Views for training, and images of each, that a validation image is compared with,
plain and mirrored: those with most votes.

Without regard to views, all images with most votes may be of a single large one.
"""

MAX_PICTURES = 1000
"""DescribedFrames whose corners are found: 60 s and 77 MB.

Extraction takes 0.6 s a frame and more, so this is at most a tenth of it. With more,
the likeliest pairs are compared, as many as there is room for.
"""

MAX_DIFFERING = 5000
"""Pairs that are compared in vain, in all rounds: 15 s."""

CHECK_ROUNDS = 50
"""Of dealing and checking; each joins two views."""


def keep_unseen(
    views: Sequence[int],
    comparisons: Sequence[FramePairs],
    parts_of: Callable[[list[int]], Sequence[str]],
    find: Callable[[int], Corners],
) -> list[int]:
    """Return views so joined that no validation image shows what is trained on.

    As far as that is found: views are joined and parts chosen again until nothing is.

    Args:
        views: of `find_views`.
        comparisons: all frames, plain and mirrored.
        parts_of: returns the part of each frame, or "", for given views.
        find: returns `find_sift_corners` of a frame.
    """
    joined = list(views)
    parts = parts_of(joined)
    if not comparisons:
        return joined
    check = _Check(comparisons, find)
    for _ in range(CHECK_ROUNDS):
        pairs = check.shared(joined, parts)
        if not pairs:
            break
        joined = join_views(joined, pairs)
        parts = parts_of(joined)
    return joined


def find_sift_corners(luma: np.ndarray, masked: Sequence[Crop] = ()) -> Corners:
    """Return SIFT corners of a picture, uint8 (H, W), outside the boxes `masked`."""
    detector = cv2.SIFT.create(MAX_SIFT_CORNERS, contrastThreshold=MIN_CONTRAST)
    return detect(detector, luma, masked)


def align_sift(one: Corners, other: Corners) -> Alignment | None:
    """Return the homography that most matches follow, of `find_sift_corners`."""
    if min(len(one.points), len(other.points)) < 2:
        return None
    similarity = _roots(one.descriptors) @ _roots(other.descriptors).T
    nearest, mutual, most, next_most = two_best(similarity)
    best = np.sqrt(np.maximum(0, 2 - 2 * most))
    second = np.sqrt(np.maximum(0, 2 - 2 * next_most))
    chosen = mutual & (best < MAX_RATIO * second)

    here = one.points[chosen]
    there = other.points[nearest[chosen]]
    return fit(here, there, one.size)


def mirror(features: Corners) -> Corners:
    """Return what `find_sift_corners` finds in the mirrored picture.

    Descriptors are turned by the direction of the gradient; so mirroring swaps their
    rows and the sense of the directions.
    """
    places = np.arange(np.prod(BINS)).reshape(BINS)
    turned = -np.arange(BINS[2])
    order = places[::-1, :, turned].ravel()

    points = features.points.copy()
    last_column = features.size[0] - 1
    points[:, 0] = last_column - points[:, 0]
    descriptors = features.descriptors[:, order]
    return Corners(points, descriptors, features.size)


def _roots(descriptors: np.ndarray) -> np.ndarray:
    """Return the square roots of descriptors that add up to 1, float32 (N, 128)."""
    values = descriptors.astype(np.float32)
    sums = values.sum(axis=1, keepdims=True)
    shares = values / (sums + 1e-6)
    return np.sqrt(shares)


def _best_of_views(votes: np.ndarray, views: np.ndarray) -> np.ndarray:
    """Return the places of the most votes, a few of each view, by rank in the view."""
    order = np.argsort(-votes, kind="stable")
    best = []
    for _ in range(PER_VIEW):
        _, firsts = np.unique(views[order], return_index=True)
        firsts = np.sort(firsts)[:LIKELY_VIEWS]
        best.append(order[firsts])
        order = np.delete(order, firsts)
    return np.concatenate(best)


class _Check:
    """Compares validation images with training images, each pair once.

    A side is the index of a comparison: 0 for plain pictures, 1 for mirrored ones.
    """

    def __init__(
        self, comparisons: Sequence[FramePairs], find: Callable[[int], Corners]
    ) -> None:
        self._comparisons = comparisons
        self._find = find
        self._features: dict[int, Corners] = {}
        self._differ: set[tuple[int, int, int]] = set()

    def shared(self, views: Sequence[int], parts: Sequence[str]) -> list[Pair]:
        """Return pairs of validation and training images that show one place.

        At most one of each view for validation.
        """
        named = np.array(parts)
        validation, training = (
            np.flatnonzero(named == VAL),
            np.flatnonzero(named == TRAIN),
        )
        pairs: list[Pair] = []
        known: set[int] = set()
        for image, other, side in self._likely(validation, training, np.array(views)):
            if len(self._differ) >= MAX_DIFFERING:
                break
            if views[image] in known or not self._has_room(image, other):
                continue
            if self._show_one_place(image, other, side):
                known.add(views[image])
                pairs.append((image, other))
        return pairs

    def _likely(
        self, validation: np.ndarray, training: np.ndarray, views: np.ndarray
    ) -> Iterator[tuple[int, int, int]]:
        """Yield a validation image, a training image and a side, the likeliest first."""
        ranked: list[list[tuple[int, int, int]]] = []
        for number, compared in enumerate(self._comparisons):
            for image in validation.tolist():
                votes = compared.votes[image, training]
                best = training[_best_of_views(votes, views[training])]
                ranked.append([(image, other, number) for other in best.tolist()])
        for pairs in zip_longest(*ranked):
            yield from filter(None, pairs)

    def _has_room(self, one: int, other: int) -> bool:
        """Return whether the corners of two pictures are known, or may be found."""
        known = self._features.keys() | {one, other}
        return len(known) <= MAX_PICTURES

    def _show_one_place(self, one: int, other: int, side: int) -> bool:
        if (one, other, side) in self._differ:
            return False
        second = self._of(other)
        if self._comparisons[side].is_mirrored:
            second = mirror(second)
        found = align_sift(self._of(one), second)
        shown = _follow(found, MIN_SIFT_INLIERS, MIN_SIFT_CELLS)
        if not shown:
            self._differ.add((one, other, side))
        return shown

    def _of(self, number: int) -> Corners:
        if number not in self._features:
            self._features[number] = self._find(number)
        return self._features[number]
