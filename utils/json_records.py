"""Reads json objects that this project wrote, from files that others may have changed."""

import json
import math
from typing import Any

MAX_COUNT = 2**53
"""The largest number up to which a float holds each whole number."""


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return the json object in `text`.

    Raises:
        ValueError: it is no json, or no object.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("no json object")
    return value


def numbers_of(text: str, count: str) -> dict[str, float]:
    """Return the json object in `text`, all of whose values are numbers; NaN for null.

    Raises:
        ValueError: it has something else, or under the key `count` no count.
    """
    numbers = {}
    for name, value in parse_object(text).items():
        if not isinstance(value, int | float | None):
            raise ValueError(f"{name[:40]!r} is no number")
        try:
            numbers[name] = math.nan if value is None else float(value)
        except OverflowError:  # more than 308 digits
            raise ValueError(f"{name[:40]!r} is too large") from None
    if not abs(numbers.get(count, math.nan)) <= MAX_COUNT:
        raise ValueError(f"it has no {count!r}")
    return numbers
