"""Random generators keyed by their purpose and a counter, so none must be saved.

A run stores no generator state: the draws of a sample, an epoch or a batch depend only
on the run's seed and on the number of that sample, epoch or batch. They are the same
for any number of workers and after any resume.
"""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What the draws are for; two streams of one seed are independent."""

    SAMPLE = 0
    EPOCH = 1
    BATCH = 2


def generator(
    seed: int, stream: Stream, counter: int, part: int = 0
) -> np.random.Generator:
    """Return the random generator of a part of item number `counter` of `stream`."""
    key = [seed, stream, counter, *([part] if part else [])]
    return np.random.default_rng(key)
