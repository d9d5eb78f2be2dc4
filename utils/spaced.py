"""A few of many, at equal distances."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def evenly_spaced(items: Sequence[T], count: int) -> list[T]:
    """Return at most `count` of the items, at equal distances, the first included."""
    total = len(items)
    count = min(count, total)
    spaced = []
    for number in range(count):
        place = number * total // count
        spaced.append(items[place])
    return spaced
