"""Print the cost of a video on the low-quality side, by codec and image size.

    python benchmarks/codecs.py [--rounds 20]

In milliseconds of processor time per image, on one core: the median over the rounds, in
which the cases take turns.
"""

import argparse
import time

import cv2
import numpy as np

from realesrgan_paddle.data.degradation.codec import ENCODERS, Video, compress
from realesrgan_paddle.options.schema.degradation import CodecName

SIZES = (64, 100, 128, 256)
"""Sides of the square images [pixels]."""
QUALITIES: dict[CodecName, int] = {"h264": 28, "hevc": 30, "mpeg2": 8, "vp9": 42}


def noisy_image(side: int) -> np.ndarray:
    """Return upscaled noise with grain, uint8 RGB: about as hard to code as a photo."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (side // 8, side // 8, 3)).astype(np.uint8)
    coarse = cv2.resize(small, (side, side))
    grain = rng.integers(0, 12, coarse.shape).astype(np.uint8)
    return cv2.add(coarse, grain)


def milliseconds(codec: CodecName, side: int) -> float:
    """Return the processor time for one image."""
    image = noisy_image(side)
    video = Video(codec, QUALITIES[codec], True, (1.3, -0.7))
    begin = time.process_time()
    compress(image, video)
    return 1000 * (time.process_time() - begin)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=20, help="measurements of each case"
    )
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    cases = [(codec, side) for codec in ENCODERS for side in SIZES]
    for case in cases:
        milliseconds(*case)  # warm up

    taken: dict[tuple[CodecName, int], list[float]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            taken[case].append(milliseconds(*case))

    columns = [f"{side}x{side}" for side in SIZES]
    print(f"{'ms':8}" + "".join(f"{column:>10}" for column in columns))
    for codec in ENCODERS:
        medians = [np.median(taken[codec, side]) for side in SIZES]
        print(f"{codec:8}" + "".join(f"{median:10.2f}" for median in medians))


if __name__ == "__main__":
    main()
