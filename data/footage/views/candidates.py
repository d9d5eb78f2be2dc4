"""Pairs of pictures that may show the same place, found without comparing all pairs.

Locality-sensitive hashing, Indyk and Motwani 1998, "Approximate nearest neighbors:
towards removing the curse of dimensionality": descriptors that agree in some randomly
chosen bits are probably alike, and pictures with many such descriptors are candidates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from realesrgan_paddle.data.footage.views.features import (
    DESCRIPTOR_BITS,
    HASH_BITS,
    Corners,
    find_corners,
    perceptual_hash,
)
from realesrgan_paddle.utils.crops import Crop

TABLES = 12
"""Choices of bits; a descriptor of which 10 % of the bits differ is found by one of
them with a probability of 63 %."""

KEY_BITS = 24
"""Bits that must agree; of unrelated descriptors (40 % differ) 1 in 200,000 does."""

NEIGHBORS = 6
"""Descriptors with the same bits that one is compared with.

They are drawn. What is on many frames, as a still camera's background, is thus no
quadratic effort.
"""

SEED = 1

Pair = tuple[int, int]
"""Indices of two frames, the first less than the second."""


@dataclass(frozen=True)
class DescribedFrames:
    """What all frames are compared by, as they are or mirrored."""

    corners: Sequence[Corners]
    hash_signs: np.ndarray
    """Perceptual hashes, float32 (N, HASH_BITS): -1 and 1."""


@dataclass(frozen=True)
class FramePairs:
    """All frames beside the same frames, or beside the mirrored ones."""

    frames: Sequence[Corners]
    others: Sequence[Corners]
    votes: np.ndarray
    """Of `count_votes`, int32 (N, N)."""
    equal_bits: np.ndarray
    """Bits of the perceptual hashes that are equal, int32 (N, N)."""
    is_mirrored: bool


def compare_all(
    count: int,
    read: Callable[[int], np.ndarray],
    masked: Callable[[int], Sequence[Crop]] = lambda _: (),
) -> list[FramePairs]:
    """Return the comparisons of frames with each other, and with them mirrored.

    Args:
        count: of the frames; with fewer than two there are no comparisons.
        read: returns a frame's miniature, uint8 (H, W).
        masked: returns its boxes that are not looked at.
    """
    if count < 2:
        return []
    sides = []
    for is_mirrored in (False, True):
        corners, hashes = [], []
        for number in range(count):
            luma, boxes = read(number), masked(number)
            if is_mirrored:
                luma = np.ascontiguousarray(luma[:, ::-1])
                boxes = [_mirrored(box, luma.shape[1]) for box in boxes]
            corners.append(find_corners(luma, boxes))
            hashes.append(np.unpackbits(perceptual_hash(luma)))
        signs = np.array(hashes, np.float32) * 2 - 1
        sides.append(DescribedFrames(corners, signs))

    plain, mirrored = sides
    return [compare(plain, plain), compare(plain, mirrored)]


def _mirrored(box: Crop, width: int) -> Crop:
    left = max(0, width - box.right)
    return Crop(left, box.y, box.width, box.height)


def compare(plain: DescribedFrames, others: DescribedFrames) -> FramePairs:
    """Return the comparison of all frames with others: `plain` or the mirrored ones."""
    products = plain.hash_signs @ others.hash_signs.T
    return FramePairs(
        plain.corners,
        others.corners,
        votes=count_votes(plain.corners, others.corners),
        equal_bits=((products + HASH_BITS) / 2).astype(np.int32),
        is_mirrored=others is not plain,
    )


def count_votes(frames: Sequence[Corners], others: Sequence[Corners]) -> np.ndarray:
    """Return how many descriptors of each two frames are alike, as far as was looked.

    Args:
        frames: at least one.
        others: `frames` again, or the mirrored ones: then only descriptors of a plain
            and of a mirrored frame are compared.

    Returns:
        int32 (N, N), symmetric, 0 on the diagonal.
    """
    descriptors, owners = _descriptors(frames)
    is_mirrored = np.zeros(len(owners), bool)
    crosses = others is not frames
    if crosses:
        more, their_owners = _descriptors(others)
        descriptors = np.concatenate([descriptors, more])
        owners = np.concatenate([owners, their_owners])
        is_mirrored = np.arange(len(owners)) >= len(is_mirrored)

    random = np.random.default_rng(SEED)
    count = len(frames)
    votes = np.zeros(count * count, np.int32)
    for _ in range(TABLES):
        bits = random.choice(DESCRIPTOR_BITS, KEY_BITS, replace=False)
        drawn = random.permutation(len(owners))
        keys = _key(descriptors, bits)[drawn]
        order = drawn[np.argsort(keys, kind="stable")]
        one, other = _neighbors(np.sort(keys), order)
        if crosses:
            differ = is_mirrored[one] != is_mirrored[other]
            one, other = one[differ], other[differ]
        pairs = owners[one] * count + owners[other]
        votes += np.bincount(pairs, minlength=len(votes)).astype(np.int32)

    table = votes.reshape(count, count)
    table = table + table.T
    np.fill_diagonal(table, 0)
    return table


def strongest(votes: np.ndarray, per_frame: int, least: int) -> list[Pair]:
    """Return the pairs with most votes, the best first.

    Args:
        votes: int32 (N, N), symmetric; 0 for pairs that are none.
        per_frame: how many of each frame; so effort is linear in the frames.
        least: votes that a pair must have.
    """
    count = len(votes)
    per_frame = min(per_frame, count)
    ranked = np.argpartition(-votes, per_frame - 1, axis=1)
    best = ranked[:, :per_frame]
    rows = np.repeat(np.arange(count), per_frame)
    columns = best.ravel()

    enough = votes[rows, columns] >= least
    both = np.stack([rows[enough], columns[enough]], axis=1)
    pairs = np.unique(np.sort(both, axis=1), axis=0)
    votes_of_pairs = votes[pairs[:, 0], pairs[:, 1]]
    order = np.argsort(-votes_of_pairs, kind="stable")
    return [(int(one), int(other)) for one, other in pairs[order]]


def _descriptors(frames: Sequence[Corners]) -> tuple[np.ndarray, np.ndarray]:
    """Return all descriptors, uint8 (N, 32), and the frame that each is of, (N,)."""
    descriptors = np.concatenate([frame.descriptors for frame in frames])
    lengths = [len(frame.descriptors) for frame in frames]
    return descriptors, np.repeat(np.arange(len(frames)), lengths)


def _neighbors(keys: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of descriptors with equal keys, at most `NEIGHBORS` apart.

    Args:
        keys: int64 (N,), sorted.
        order: the place of the descriptor that each key is of.
    """
    ones, others = [], []
    for step in range(1, NEIGHBORS + 1):
        agree = np.flatnonzero(keys[step:] == keys[:-step])
        ones.append(order[agree])
        others.append(order[agree + step])
    return np.concatenate(ones), np.concatenate(others)


def _key(descriptors: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Return some bits of each descriptor as one number, int64 (N,)."""
    key = np.zeros(len(descriptors), np.int64)
    for bit in bits:
        value = descriptors[:, bit // 8] >> (bit % 8) & 1
        key = key * 2 + value
    return key
