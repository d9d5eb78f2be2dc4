"""Mutations of json values, and of files of a json record a line."""

import json
from copy import deepcopy
from random import Random
from typing import Any

from mutate.anything import EXTREMES, mutate_bytes

VALUES: list[Any] = [
    *EXTREMES,
    *(None, True, False, [], {}, "", 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("nan", "1", "x" * 9000, "\0", "\x1b[2J\r", "a\nb", "\ud800", "../../x", "/"),
    *([1], [[]], [None], {"": {}}, {"a": [1, {}]}, 10**400),
]
"""Values that a reader may not expect, of each of json's types."""


def mutate_json(value: Any, rng: Random) -> Any:
    """Return `value` with one to three of its parts replaced, removed or repeated."""
    if rng.random() < 0.05:
        return deepcopy(rng.choice(VALUES))
    value = deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(value))
        if places:
            _change(*rng.choice(places), rng)
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return (container, key) of everything within `value`."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(min(len(value), 50)))
    found = [(value, key) for key in keys]
    for key in keys:
        found += _places(value[key])
    return found


def _change(container: Any, key: Any, rng: Random) -> None:
    choice = rng.random()
    if choice < 0.6:
        container[key] = deepcopy(rng.choice(VALUES))
    elif choice < 0.75:
        del container[key]
    elif choice < 0.9 and isinstance(container, dict):
        container[rng.choice(("", "x", "__metadata__", "\0", "é", key + " "))] = 1
    else:
        container[key] = [deepcopy(container[key])] * rng.choice((1, 2, 100))


def mutate_lines(content: bytes, rng: Random) -> bytes:
    """Return a file of json lines with some of them changed."""
    lines = content.splitlines()
    for _ in range(rng.choice((1, 3))):
        index = rng.randrange(len(lines))
        try:
            record = json.loads(lines[index])
        except ValueError:
            continue
        changed = mutate_json(record, rng)
        lines[index] = json.dumps(changed, ensure_ascii=False).encode(
            errors="surrogatepass"
        )
    text = b"\n".join(lines * rng.choice((1, 1, 1, 2000)))
    return mutate_bytes(text, rng) if rng.random() < 0.3 else text
