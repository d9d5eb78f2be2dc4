"""Random generators that are entered anywhere: keyed by what they are for and by a counter.

A run stores no generator state. The draws of a sample, an epoch or a batch depend only
on the run's seed and on that sample's, epoch's or batch's number, for any number of
workers and after any resume.
"""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What the draws are for; two streams of one seed share nothing."""

    SAMPLE = 0
    EPOCH = 1
    BATCH = 2


def generator(seed: int, stream: Stream, counter: int) -> np.random.Generator:
    """Return the generator of draw number `counter` of `stream`."""
    return np.random.default_rng([seed, stream, counter])
