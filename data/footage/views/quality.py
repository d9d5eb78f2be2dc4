"""Which of two copies is the better one."""

from realesrgan_paddle.data.sets.manifest import Record

SIZE_EXPONENT = 0.4
"""Power of the longer side in the quality.

Downscaling sharpens: two thirds of a frame have 1.06 times its sharpness, and so would
win without this. Measured with benchmarks/footage/views.py.
"""

MIN_SIZE_RATIO = 1.1
"""Ratio of the longer sides from which one of two copies may be enlarged."""

ENLARGED_EXPONENT = -0.18
"""Power of the ratio of the sides that the ratio of the sharpness of copies has.

Below it the larger one shows no more than the smaller one: measured -0.04 to -0.18 for
95 % of true detail, and -0.18 to -0.3 for enlarged copies.
"""


def quality(record: Record) -> float:
    """Return the quality of a frame among its copies; higher is better."""
    long_side = max(record["size"])
    return float(record["score"]) * long_side**SIZE_EXPONENT


def is_enlarged(record: Record, copy: Record) -> bool:
    """Return whether a frame is larger than its copy, but shows no more detail."""
    ratio = max(record["size"]) / max(copy["size"])
    if ratio < MIN_SIZE_RATIO or not copy["sharpness"]:
        return False
    sharpness = record["sharpness"] / copy["sharpness"]
    return float(sharpness) < ratio**ENLARGED_EXPONENT
