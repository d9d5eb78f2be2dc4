"""The training image that is most like a validation image."""

from collections.abc import Sequence

import numpy as np

from realesrgan_paddle.data.footage.views.candidates import Comparison
from realesrgan_paddle.data.footage.views.decisions import Nearest
from realesrgan_paddle.data.footage.views.features import align
from realesrgan_paddle.data.footage.views.hashes import HASH_BITS

BY_VOTES = 2
"""Training images whose corners are compared, in addition to the nearest hash."""


def find_nearest(
    kinds: Sequence[Comparison], image: int, training: Sequence[int], names: list[str]
) -> Nearest:
    """Return the training image with most corners of a homography in common.

    Of those without any, that with the nearest hash.

    Args:
        kinds: the features of all frames, plain and mirrored.
        image: index of a validation image.
        training: indices of the training images; at least one.
        names: the file of each frame.
    """
    indices = np.array(training)
    best: tuple[tuple[int, float], Nearest] | None = None
    for kind in kinds:
        by_votes = np.argsort(-kind.votes[image, indices], kind="stable")[:BY_VOTES]
        by_hash = kind.equal_bits[image, indices].argmax()
        for place in {*by_votes.tolist(), int(by_hash)}:
            other = int(indices[place])
            alignment = align(kind.frames[image], kind.others[other])
            inliers = alignment.inliers if alignment else 0
            distance = 1 - float(kind.equal_bits[image, other]) / HASH_BITS
            rank = (inliers, -distance)
            if best is None or rank > best[0]:
                found = Nearest(
                    file=names[other],
                    distance=round(distance, 3),
                    inliers=inliers,
                    mirrored=kind.is_mirrored,
                )
                best = rank, found
    assert best is not None
    return best[1]
