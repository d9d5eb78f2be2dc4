"""Pictures that show the same: found by perceptual hashes."""

import cv2
import numpy as np

SIDE = 16
"""Lowest frequencies, along each axis, that make the hash."""

BITS = SIDE * SIDE
"""Length of a hash; the mean frequency's bit is always 0."""

_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)


def perceptual_hash(luma: np.ndarray) -> np.ndarray:
    """Return the hash of a picture, uint8 luma (H, W), as 32 bytes.

    Zauner 2010, "Implementation and benchmarking of perceptual image hash functions":
    which of the low frequencies of the cosine transform are above their median. Size,
    brightness and contrast do not matter. With the usual 8 x 8 frequencies all wide
    shots of a pitch are alike, hence 16 x 16.
    """
    small = cv2.resize(luma, (4 * SIDE, 4 * SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:SIDE, :SIDE].ravel()
    bits = low > np.median(low[1:])
    bits[0] = False
    return np.packbits(bits)


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of bits in which two hashes differ, 0 to about 0.5."""
    return float(_ONES[first ^ second].sum()) / BITS


class HashIndex:
    """Hashes of all frames of a set, each with a name: 32 bytes a frame, so any number fits into memory."""

    def __init__(self) -> None:
        self._hashes = np.empty((0, BITS // 8), np.uint8)
        self._names: list[str] = []

    def add(self, name: str, hash_: np.ndarray) -> None:
        """Add one."""
        count = len(self._names)
        if count == len(self._hashes):
            self._hashes = np.concatenate(
                [self._hashes, np.empty((max(64, count), BITS // 8), np.uint8)]
            )
        self._hashes[count] = hash_
        self._names.append(name)

    def nearest(self, hash_: np.ndarray) -> tuple[str, float] | None:
        """Return the name of the hash that differs least, and its distance; None if there is none."""
        if not self._names:
            return None
        differing = _ONES[self._hashes[: len(self._names)] ^ hash_].sum(axis=1)
        best = int(np.argmin(differing))
        return self._names[best], float(differing[best]) / BITS
