"""Views: frames that show the same place, by whatever camera position and zoom."""

from collections.abc import Hashable, Sequence

import numpy as np

from realesrgan_paddle.data.footage.views.candidates import Comparison, Pair, strongest
from realesrgan_paddle.data.footage.views.features import Alignment, align

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


def shows_same_place(alignment: Alignment | None) -> bool:
    """Return whether an alignment is that of two frames of one view."""
    if alignment is None:
        return False
    return alignment.inliers >= MIN_INLIERS and alignment.cells >= MIN_CELLS


def find_views(
    kinds: Sequence[Comparison],
    groups: Sequence[Hashable],
    copies: Sequence[Pair] = (),
) -> list[int]:
    """Return the number of each frame's view: that of the view's first frame.

    Args:
        kinds: the features of all frames, plain and mirrored.
        groups: what frames that are in one view anyway have in common: the shot.
        copies: pairs that are in one view anyway.
    """
    views = _Sets(len(groups))
    first_of: dict[Hashable, int] = {}
    for number, group in enumerate(groups):
        views.join(number, first_of.setdefault(group, number))
    for one, other in copies:
        views.join(one, other)

    tables = [kind.votes.copy() for kind in kinds]
    for _ in range(ROUNDS):
        for kind, votes in zip(kinds, tables, strict=True):
            labels = np.array(views.labels())
            votes[labels[:, None] == labels] = 0
            for one, other in strongest(votes, PER_FRAME, MIN_VOTES):
                votes[one, other] = votes[other, one] = 0
                if views.find(one) == views.find(other):
                    continue
                if shows_same_place(align(kind.frames[one], kind.others[other])):
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
