"""Near-duplicate detection by perceptual hashes."""

import cv2
import numpy as np

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
