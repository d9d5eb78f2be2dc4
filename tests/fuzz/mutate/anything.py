"""Mutations of bytes, whatever they mean, and what all mutators share."""

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

Whole = TypeVar("Whole")

EXTREMES = [
    *(0, 1, 2, 3, 127, 128, 255, 256, 32767, 32768, 65535, 65536),
    *(2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**64 - 1),
    *(-1, -2, -128, -32768, -(2**31), -(2**63)),
]
"""Integers at which counts, sizes and offsets overflow."""


def extreme(rng: Random, size: int) -> int:
    """Return an unsigned integer of `size` bytes, near a power of two more often than not."""
    return (rng.choice(EXTREMES) + rng.choice((0, 0, 0, 1, -1))) % (1 << 8 * size)


def edited(
    whole: Whole, edits: Sequence[Callable[[Whole, Random], None]], rng: Random
) -> Whole:
    """Return `whole` after one to three of the `edits`, which change it in place."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(edits)(whole, rng)
    return whole


def mutate_bytes(content: bytes, rng: Random) -> bytes:
    """Return `content` with one to three changes that know nothing of its format."""
    edits = [flip, flip, _number, _cut, _repeat, _drop, _insert, _fill]
    return bytes(edited(bytearray(content), edits, rng))


def span(length: int, rng: Random) -> slice:
    """Return a part of a sequence: mostly a short one, and often near the beginning."""
    start = rng.randrange(length + 1)
    if rng.random() < 0.5:
        start = min(start, rng.randrange(256))
    return slice(start, start + rng.choice((1, 2, 4, 8, 64, 1024, length)))


def flip(content: bytearray, rng: Random) -> None:
    """Flip one bit, or a few."""
    for _ in range(rng.choice((1, 1, 4, 16))):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _number(content: bytearray, rng: Random) -> None:
    """Write an extreme integer over some bytes."""
    size = rng.choice((1, 2, 4, 8))
    start = span(len(content), rng).start
    number = extreme(rng, size)
    content[start : start + size] = number.to_bytes(size, rng.choice(("big", "little")))


def _cut(content: bytearray, rng: Random) -> None:
    del content[rng.randrange(len(content) + 1) :]


def _repeat(content: bytearray, rng: Random) -> None:
    part = content[span(len(content), rng)][:65536]
    at = rng.randrange(len(content) + 1)
    content[at:at] = part * rng.choice((1, 2, 50))


def _drop(content: bytearray, rng: Random) -> None:
    del content[span(len(content), rng)]


def _insert(content: bytearray, rng: Random) -> None:
    at = rng.randrange(len(content) + 1)
    content[at:at] = rng.randbytes(rng.choice((1, 4, 100, 5000)))


def _fill(content: bytearray, rng: Random) -> None:
    part = span(len(content), rng)
    length = len(content[part])
    content[part] = rng.choice((b"\0", b"\xff", b"A", b"\n")) * length


def pack(order: str, size: int, number: int) -> bytes:
    """Return an unsigned integer's bytes; what does not fit is cut off."""
    kind = "big" if order == ">" else "little"
    return (number % (1 << 8 * size)).to_bytes(size, kind)
