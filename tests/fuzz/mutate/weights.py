"""Mutations of weight files: bytes of any format, and numbers and layers of ncnn's.

What pickles, archives and headers may declare is in the tables of tests/utils.
"""

import re
from random import Random

from mutate.anything import EXTREMES, mutate_bytes


def mutate_weights(content: bytes, rng: Random) -> bytes:
    """Return a damaged version of a file of weights."""
    if content.startswith(b"7767517") and rng.random() < 0.85:
        return mutate_param(content, rng)
    return mutate_bytes(content, rng)


def mutate_param(content: bytes, rng: Random) -> bytes:
    """Change numbers, layers and lines of an ncnn .param file."""
    lines = content.decode(errors="replace").split("\n")
    for _ in range(rng.choice((1, 2, 3))):
        index = rng.randrange(len(lines))
        values = [
            "",
            "x",
            "nan",
            "1e999",
            "1,2",
            "-1,5",
            "99999,1",
            *map(str, EXTREMES),
        ]
        value = rng.choice(values)
        pairs = re.findall(r"-?\d+=[^ ]*", lines[index])
        change = rng.randrange(6)
        if change <= 2 and pairs:
            key = rng.choice(("-23300", "-23310", "0", "1", "6", "9", "a"))
            key = key if change == 0 else pairs[0].partition("=")[0]
            lines[index] = lines[index].replace(rng.choice(pairs), f"{key}={value}", 1)
        elif change == 3:
            del lines[index]
        elif change == 4:
            lines[index:index] = [lines[index]] * rng.choice((1, 2, 3000))
        else:
            words = lines[index].split(" ")
            words[rng.randrange(len(words))] = value
            lines[index] = " ".join(words)
        lines = lines or [""]
    return "\n".join(lines).encode()
